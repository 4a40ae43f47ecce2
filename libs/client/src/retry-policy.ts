import type { OwnerInfo } from '@cadastre/contracts';
import { isAnswer } from '@cadastre/contracts';
import type { CadastreError } from '@cadastre/core';

export type Effect = 'read' | 'write';

/** What a failed attempt means for the next one. */
export type Verdict =
  /** The node named another owner, or a newer record: costs nothing of the retry budget. */
  | { readonly kind: 'redirected'; readonly info: OwnerInfo; readonly unknown: boolean }
  /** Another attempt may do; for a write `unknown` says whether this one may have taken effect. */
  | { readonly kind: 'again'; readonly unknown: boolean }
  | { readonly kind: 'final' };

/** At most so many redirections at once; then the cluster is in the middle of a change, and waiting beats asking. */
export const MAX_HOPS = 3;

/**
 * What an error that is no answer says (`isAnswer`) is said of the way there: the request may have taken effect. A write is safe to repeat
 * because it carries a request id, under which a node takes effect once. CANCELLED from the transport is a connection that was cut;
 * whether the caller gave up is for the router to see.
 */
export const judge = (error: CadastreError, effect: Effect): Verdict => {
  const unknown = effect === 'write';
  switch (error.code) {
    case 'NOT_OWNER':
      return redirection(error, effect);
    case 'UNAVAILABLE':
      return { kind: 'again', unknown: unknown && !isRefusal(error) };
    case 'UNKNOWN_OUTCOME':
    case 'DEADLINE_EXCEEDED':
    case 'CANCELLED':
      return { kind: 'again', unknown };
    case 'RESOURCE_EXHAUSTED':
      return isTooLarge(error) ? { kind: 'final' } : { kind: 'again', unknown: false };
    default:
      return { kind: 'final' };
  }
};

const redirection = ({ info }: CadastreError, effect: Effect): Verdict => {
  if (!info) return { kind: 'again', unknown: false };
  const owner = info as OwnerInfo;
  return { kind: 'redirected', info: owner, unknown: effect === 'write' && owner.mayHaveHappened === true };
};

/** Said by the server, or by a connection that was never made: nothing happened. */
const isRefusal = (error: CadastreError): boolean =>
  isAnswer(error) || /No connection established|ECONNREFUSED/.test(error.message);

const isTooLarge = (error: CadastreError): boolean =>
  error.field !== undefined || /larger than max/.test(error.message);

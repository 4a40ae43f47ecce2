import type { Wire } from '@cadastre/contracts';
import { CadastreError, invalid, LIMITS, printable } from '@cadastre/core';
import type { Clock } from '@cadastre/runtime';
import type { Draft, Register, RegisterState } from '@cadastre/store';
import { freezePart, manualFreezePart } from '@cadastre/store';
import { requireActor } from './actor.js';
import type { Act, FreezeBy } from './ports.js';

/** All that stops automation at present; the person's first. */
export const freezesIn = (state: RegisterState): Wire.Freeze[] => {
  const person = state.manualFreeze?.value;
  const automation = state.freeze?.value;
  return [
    ...(person ? [{ by: 'person', actor: person.actor, because: person.reason, sinceMs: person.sinceMs }] : []),
    ...(automation && automation.acceptedBy === ''
      ? [{ by: 'automation', actor: 'cadastre', because: automation.because, sinceMs: automation.sinceMs }]
      : []),
  ];
};

/** In one sentence; undefined when nothing is frozen. */
export const frozenBecause = (state: RegisterState): string | undefined => {
  const [first] = freezesIn(state);
  if (!first) return undefined;
  return first.by === 'person' ? `frozen by ${first.actor}: ${first.because}` : first.because;
};

/**
 * A person stops automation: no move begins, nothing is repaired, given back or approved by policy. Moves in flight end at a safe point,
 * and leadership still leaves the dead. @throws CadastreError INVALID_ARGUMENT, FAILED_PRECONDITION
 */
export const freeze = async (register: Register, clock: Clock, act: Act): Promise<Wire.FreezeReply> => {
  const by = requireActor(act);
  const { reason = '' } = act;
  if (reason.trim() === '') throw invalid('reason', 'is missing', 'say why; everybody sees it while the freeze lasts');
  const said = printable(reason, LIMITS.reasonCharsMax);
  await register.commit((state) => {
    const known = state.manualFreeze?.value;
    if (known)
      throw new CadastreError('FAILED_PRECONDITION', `${known.actor} has frozen automation already: ${known.reason}`, {
        remedy: 'unfreeze it first to give another reason',
      });
    return {
      ...manualFreezePart(state, { sinceMs: Math.round(clock.wallMs()), actor: by, reason: said }),
      result: undefined,
      audit: { actor: by, verb: 'freeze', subject: 'automation', reason: said, after: 'no move begins' },
    };
  });
  return { freezes: freezesIn(register.state) };
};

/**
 * Ends a person's freeze, or accepts the loss of the nodes that automation froze for: then the active controller fails them over and
 * acts again, and the loss of a further node may freeze it anew.
 * @throws CadastreError FAILED_PRECONDITION when nothing is frozen, INVALID_ARGUMENT when it is not said which of two
 */
export const unfreeze = async (
  register: Register,
  act: Act,
  which: FreezeBy | undefined,
): Promise<Wire.UnfreezeReply> => {
  const by = requireActor(act);
  const { result } = await register.commit((state) => unfreezeDraft(state, by, act.reason ?? '', which));
  return result;
};

const unfreezeDraft = (
  state: RegisterState,
  actor: string,
  reason: string,
  which: FreezeBy | undefined,
): Draft<Wire.UnfreezeReply> => {
  const freezes = freezesIn(state);
  const [found] = which === undefined ? freezes : freezes.filter((f) => f.by === which);
  if (!found)
    throw new CadastreError('FAILED_PRECONDITION', 'automation is not frozen', { remedy: 'see cadastre status' });
  if (which === undefined && freezes.length > 1)
    throw invalid('by', 'is missing: a person froze, and so did automation', 'say person or automation');
  const audit = { actor, verb: 'unfreeze', subject: 'automation', reason, before: found.because ?? '' };
  if (found.by === 'person')
    return {
      ...manualFreezePart(state, undefined),
      result: { nodes: [], by: 'person' },
      audit: { ...audit, after: 'goes on' },
    };
  const frozen = state.freeze!.value;
  return {
    ...freezePart(state, { ...frozen, acceptedBy: actor }),
    result: { nodes: [...frozen.nodes], by: 'automation' },
    audit: { ...audit, after: `goes on without ${frozen.nodes.join(', ')}` },
  };
};

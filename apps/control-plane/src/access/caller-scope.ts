import { AsyncLocalStorage } from 'node:async_hooks';
import { endWithError, peerOf, toStatus } from '@cadastre/contracts';
import type { OperationsPort } from '../operations/ports.js';
import { AuthorizedOperations } from './authorized-operations.js';
import type { Caller, Identity } from './identify.js';

const calls = new AsyncLocalStorage<Caller | undefined>();

/** What `work` and all that follows from it does is done in the name of this caller. */
export const runAs = <T>(caller: Caller | undefined, work: () => T): T => calls.run(caller, work);

/** The verbs in the name of whoever calls at present: handlers that were written without a thought of access cannot go around it. */
export const operationsOfCaller = (identity: Identity): OperationsPort => {
  const verbs = Object.getOwnPropertyNames(AuthorizedOperations.prototype).filter((name) => name !== 'constructor');
  const call =
    (verb: string) =>
    (...given: unknown[]): unknown => {
      const operations = identity.operationsFor(calls.getStore());
      return (Reflect.get(operations, verb) as (...args: unknown[]) => unknown).apply(operations, given);
    };
  return Object.fromEntries(verbs.map((verb) => [verb, call(verb)])) as unknown as OperationsPort;
};

/** For streams: asks again, whenever it is called, whether whoever calls at present may still look. */
export const holdsForCaller = (identity: Identity): (() => boolean) => {
  const caller = calls.getStore();
  return () => caller !== undefined && identity.stillHolds(caller);
};

type AnyCall = Parameters<typeof peerOf>[0] & {
  readonly metadata: { get(key: string): readonly (string | Buffer)[] };
  emit(event: string, ...args: unknown[]): boolean;
};
type AnyHandler = (call: AnyCall, callback?: (error: unknown) => void) => unknown;

const callerOf = async (call: AnyCall, identity: Identity): Promise<Caller> => {
  const [authorization] = call.metadata.get('authorization');
  return identity.requireLook(await identity.ofCall(authorization?.toString(), peerOf(call)));
};

/** Each handler of a service finds out who calls before it begins, and refuses whoever may not even look. */
export const inNameOfCaller = <Handlers extends Record<string, unknown>>(
  handlers: Handlers,
  identity: Identity,
): Handlers => {
  const guard =
    (handler: AnyHandler): AnyHandler =>
    async (call, callback) => {
      try {
        const caller = await callerOf(call, identity);
        runAs(caller, () => handler(call, callback));
      } catch (error) {
        if (callback) callback(toStatus(error));
        else endWithError(call, error);
      }
    };
  return Object.fromEntries(
    Object.entries(handlers).map(([name, handler]) => [name, guard(handler as AnyHandler)]),
  ) as Handlers;
};

/** For handlers that know nothing of persons: those who show no certificate must show a token that lets them look. */
export const withTokenOrCertificate = (handler: unknown, identity: Identity): AnyHandler => {
  const guarded = inNameOfCaller({ handler: handler as AnyHandler }, identity).handler;
  return (call, callback) => (peerOf(call) ? (handler as AnyHandler) : guarded)(call, callback);
};

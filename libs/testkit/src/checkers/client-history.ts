import type { ClientEvent, HistoryEvent, Invoke, Ok } from './history.js';

/** A call of a client with its outcome. `unknown`: it may or may not have taken effect; a call without an answer counts as that. */
export interface ClientCall {
  readonly invoke: Invoke;
  readonly outcome: 'ok' | 'failed' | 'unknown';
  /** Infinity when it is unknown. */
  readonly returned: number;
  readonly ok: Ok | undefined;
  readonly error: string | undefined;
}

/** Puts calls together from their events, in the order of their invocations. @throws Error when an answer has no question, or two */
export const pairCalls = (events: Iterable<HistoryEvent>): ClientCall[] => {
  const calls: { invoke: Invoke; answer?: Exclude<ClientEvent, Invoke> }[] = [];
  const open = new Map<string, (typeof calls)[number]>();
  for (const event of events) {
    if (event.type === 'invoke') {
      const call = { invoke: event };
      calls.push(call);
      open.set(`${event.process}\n${event.op}`, call);
    } else if (event.type === 'ok' || event.type === 'fail' || event.type === 'info') {
      const id = `${event.process}\n${event.op}`;
      const call = open.get(id);
      if (!call) throw new Error(`${event.process} op ${event.op}: an answer without its invocation, or a second one`);
      open.delete(id);
      call.answer = event;
    }
  }
  return calls.map(({ invoke, answer }) => {
    const outcome = answer?.type === 'ok' ? 'ok' : answer?.type === 'fail' ? 'failed' : 'unknown';
    return {
      invoke,
      outcome,
      returned: answer && outcome !== 'unknown' ? answer.at : Infinity,
      ok: answer?.type === 'ok' ? answer : undefined,
      error: answer && answer.type !== 'ok' ? answer.error : undefined,
    };
  });
};

export const groupBy = <T>(items: Iterable<T>, keyOf: (item: T) => string): Map<string, T[]> => {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
};

export const keyOf = ({ invoke }: ClientCall): string => `${invoke.keyspace}/${invoke.key}`;
export const partitionOf = ({ invoke }: ClientCall): string => `${invoke.keyspace}/${invoke.partition}`;

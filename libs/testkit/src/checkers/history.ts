import type { Generation, KeyspaceSpec, NodeEntry, PartitionRecord, PlanMove } from '@cadastre/core';

/**
 * What happened, as one value a line (JSON). Written by the simulated world and by chaos runs alike, read by the checkers. `at` is
 * milliseconds on one monotonic clock that all writers share; a call's interval is never shorter than what the client saw.
 */
interface Timed {
  readonly at: number;
}

interface Called extends Timed {
  /** Who calls: one client's worker, which has one call at a time. */
  readonly process: string;
  /** Unique within the process. */
  readonly op: number;
}

export interface Invoke extends Called {
  readonly type: 'invoke';
  readonly call: 'get' | 'put' | 'delete';
  readonly keyspace: string;
  readonly partition: number;
  readonly key: string;
  /** Of a put; unique in the history, so that a reader tells by it which write it saw. */
  readonly value?: string;
}

export interface Ok extends Called {
  readonly type: 'ok';
  /** Of a get that found something. */
  readonly value?: string;
  /** Of a write: where it lies in its partition's log. */
  readonly epoch?: number;
  readonly seq?: number;
}

/** It surely had no effect. */
export interface Fail extends Called {
  readonly type: 'fail';
  readonly error: string;
}

/** It may or may not have taken effect, even later. */
export interface Info extends Called {
  readonly type: 'info';
  readonly error: string;
}

export type ClientEvent = Invoke | Ok | Fail | Info;

/** A whole map: the first of a keyspace, or what an observer read after a gap. */
export interface KeyspaceEvent extends Timed {
  readonly type: 'keyspace';
  readonly spec: KeyspaceSpec;
  readonly partitions: number;
  readonly generation: Generation;
  readonly records: readonly PartitionRecord[];
}

/** One committed change of a keyspace's map. */
export interface MapEvent extends Timed {
  readonly type: 'map';
  readonly keyspace: string;
  readonly generation: Generation;
  /** Those that changed. */
  readonly records: readonly PartitionRecord[];
  /** As the audit log has it; empty where the writer tells nothing. */
  readonly actor: string;
  readonly verb: string;
}

export interface NodeEvent extends Timed {
  readonly type: 'node';
  readonly entry: NodeEntry;
  readonly incarnation: string;
}

/** A plan's head was written. `moves` with the first event of a plan. */
export interface PlanEvent extends Timed {
  readonly type: 'plan';
  readonly id: string;
  readonly state: string;
  readonly digest: string;
  readonly moves?: readonly PlanMove[];
  /** Who approved it; with the event that says so. */
  readonly approver?: string;
}

/** An election was won. */
export interface TermEvent extends Timed {
  readonly type: 'term';
  readonly holder: string;
  readonly term: number;
}

interface OfReplica extends Timed {
  readonly node: string;
  /** One lifetime of the node's data. */
  readonly incarnation: string;
  readonly keyspace: string;
  readonly partition: number;
}

/** It durably refuses older epochs. */
export interface PromisedEvent extends OfReplica {
  readonly type: 'promised';
  readonly epoch: number;
}

/** As leader: all of the in-sync set promised this epoch and hold its log. */
export interface SealedEvent extends OfReplica {
  readonly type: 'sealed';
  readonly epoch: number;
  /** Its log up to here is committed: all that leaders before it can have acknowledged. */
  readonly seq: number;
}

/** As leader, towards a client. */
export interface AcknowledgedEvent extends OfReplica {
  readonly type: 'acknowledged';
  readonly epoch: number;
  readonly seq: number;
  readonly requestId: string;
}

/** An entry of the log took effect on this copy. */
export interface EffectEvent extends OfReplica {
  readonly type: 'effect';
  readonly epoch: number;
  readonly seq: number;
  readonly requestId: string;
}

/** `quarantined`: set aside, no longer served. `purged`: deleted. */
export interface RemovalEvent extends OfReplica {
  readonly type: 'quarantined' | 'purged';
}

/** An observer (agent, client, control plane) acts on this map now. */
export interface AppliedEvent extends Timed {
  readonly type: 'applied';
  readonly observer: string;
  /** Of the process: what it knew before a restart is not held against it. */
  readonly lifetime: string;
  readonly keyspace: string;
  readonly generation: Generation;
}

export interface FaultEvent extends Timed {
  readonly type: 'fault';
  readonly phase: 'begin' | 'end';
  readonly kind: string;
  readonly target: string;
}

/** For readers of the file: seed, setup, what a run is about to do. */
export interface NoteEvent extends Timed {
  readonly type: 'note';
  readonly text: string;
}

export type HistoryEvent =
  | ClientEvent
  | KeyspaceEvent
  | MapEvent
  | NodeEvent
  | PlanEvent
  | TermEvent
  | PromisedEvent
  | SealedEvent
  | AcknowledgedEvent
  | EffectEvent
  | RemovalEvent
  | AppliedEvent
  | FaultEvent
  | NoteEvent;

export const encodeEvent = (event: HistoryEvent): string => `${JSON.stringify(event)}\n`;

/** Of several files, put in order of time; events of one time keep the order in which they came. @throws Error naming the line */
export const decodeHistory = (text: string, file = 'history'): HistoryEvent[] => {
  const events: HistoryEvent[] = [];
  const lines = text.split('\n');
  lines.forEach((line, i) => {
    if (line === '') return;
    // A writer that was killed leaves half a line, and only as its last.
    const event = parse(line);
    if (event) events.push(event);
    else if (i < lines.length - 1) throw new Error(`${file}:${i + 1} is no event: ${line.slice(0, 100)}`);
  });
  return events;
};

const parse = (line: string): HistoryEvent | undefined => {
  try {
    const event = JSON.parse(line) as HistoryEvent;
    return typeof event.at === 'number' && typeof event.type === 'string' ? event : undefined;
  } catch {
    return undefined;
  }
};

export const inOrder = (events: readonly HistoryEvent[]): HistoryEvent[] => [...events].sort((a, b) => a.at - b.at);

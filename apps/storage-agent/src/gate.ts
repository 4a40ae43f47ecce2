import type { KeyspaceMap, PartitionRecord } from '@cadastre/core';
import { CadastreError, invalid, leaderOf, printable } from '@cadastre/core';
import type { OwnerInfo } from '@cadastre/contracts';
import type { Clock } from '@cadastre/runtime';
import { keyOf, type PartitionKey } from './partition-key.js';
import type { ReplicaDriver } from './replica.driver.js';

/** How long a caller whose map is newer than this node's is held for the map to arrive. */
const NEWER_MAP_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;

export interface Target {
  readonly keyspace: string;
  readonly partition: number;
  readonly epoch: number;
}

/** A write is taken while the leader seals, where that is safe, and answered afterwards; a read waits until it serves. */
export type Access = 'read' | 'write';

export interface GateOptions {
  readonly node: string;
  readonly clock: Clock;
  readonly holdMax: number;
  mapOf(keyspace: string): KeyspaceMap | undefined;
  replica(key: PartitionKey): ReplicaDriver | undefined;
}

/** Of what was asked before another came to lead: see OwnerInfo. */
export interface Fate {
  readonly mayHaveHappened?: true | undefined;
  readonly held?: true;
}

export interface Admitted {
  readonly replica: ReplicaDriver;
  readonly map: KeyspaceMap;
}

/** Decides whether this node may answer for a partition now; holds for a short while what it soon may. */
export class Gate {
  private held = 0;
  private stopping = false;

  constructor(private readonly options: GateOptions) {}

  /** Calls that wait here now. */
  get waiting(): number {
    return this.held;
  }

  stop(): void {
    this.stopping = true;
  }

  /** `task` counts against the bound of waiting calls while it runs. @throws CadastreError RESOURCE_EXHAUSTED above it */
  async hold<T>(task: () => Promise<T>): Promise<T> {
    this.enter();
    try {
      return await task();
    } finally {
      this.leave();
    }
  }

  /** Counts against the bound of waiting calls until `leave`. @throws CadastreError RESOURCE_EXHAUSTED above it */
  enter(): void {
    if (this.held >= this.options.holdMax) {
      throw new CadastreError('RESOURCE_EXHAUSTED', `${this.held} calls wait on ${this.options.node}`, {
        limit: `${this.options.holdMax} calls`,
        remedy: 'back off and retry',
      });
    }
    this.held += 1;
  }

  leave(): void {
    this.held -= 1;
  }

  /** As `admit`, where nothing has to be waited for; otherwise nothing. */
  admitNow(target: Target, access: Access): Admitted | undefined {
    const ready = this.check(target, access);
    return ready === 'newer' || ready === 'preparing' ? undefined : ready;
  }

  /** @throws CadastreError NOT_FOUND, INVALID_ARGUMENT, NOT_OWNER (with the record), UNAVAILABLE, RESOURCE_EXHAUSTED */
  async admit(target: Target, access: Access, remainingMs: number): Promise<Admitted> {
    const ready = this.check(target, access);
    return ready === 'newer' || ready === 'preparing' ? this.hold(() => this.wait(target, access, remainingMs)) : ready;
  }

  /** The copy here, whoever leads. @throws CadastreError NOT_FOUND, INVALID_ARGUMENT, NOT_OWNER when there is none */
  copy(target: Target): Admitted {
    const map = this.mapFor(target);
    const replica = this.options.replica(keyOf(target));
    if (!replica) throw this.notOwner(target, map);
    return { replica, map };
  }

  notOwner(target: Target, map: KeyspaceMap, { mayHaveHappened, held }: Fate = {}): CadastreError {
    const record = this.recordOf(target, map);
    const leader = leaderOf(record);
    const leaderAddress = leader === undefined ? undefined : map.node(leader)?.address;
    const info: OwnerInfo = {
      keyspace: target.keyspace,
      record,
      generation: map.generation,
      ...(leaderAddress !== undefined && { leaderAddress }),
      ...(mayHaveHappened && { mayHaveHappened }),
      ...(held && { held }),
    };
    return new CadastreError(
      'NOT_OWNER',
      `${target.keyspace}/${target.partition} at epoch ${record.epoch} is led by ${leader ?? 'nobody'}, asked with epoch ${target.epoch} of ${this.options.node}`,
      {
        field: 'target.epoch',
        remedy:
          leader === undefined
            ? 'wait for a leader to be named'
            : 'heal the map from the record that comes with this and ask the leader',
        info,
      },
    );
  }

  private check(target: Target, access: Access): Admitted | 'newer' | 'preparing' {
    if (this.stopping)
      throw new CadastreError('UNAVAILABLE', `${this.options.node} is stopping`, {
        remedy: 'retry; the map will name another leader',
      });
    const map = this.mapFor(target);
    const replica = this.options.replica(keyOf(target));
    const record = newerOf(replica?.machine.record, map, target.partition);
    if (target.epoch > record.epoch) return 'newer';
    if (leaderOf(record) !== this.options.node) throw this.notOwner(target, map);
    // A lower epoch of the caller is no reason to refuse: this node is the sealed leader of the newest epoch it knows of, and every
    // write is committed under that one. The caller's map only lacks a change that did not touch the leader.
    if (!replica) return 'preparing';
    const { machine } = replica;
    const ready = access === 'write' ? machine.takesWrites : machine.phase === 'serving';
    return ready ? { replica, map } : 'preparing';
  }

  private mapFor({ keyspace, partition }: Target): KeyspaceMap {
    const map = this.options.mapOf(keyspace);
    if (!map)
      throw new CadastreError('NOT_FOUND', `keyspace "${printable(keyspace)}" is not known to ${this.options.node}`, {
        field: 'target.keyspace',
        remedy: 'name a keyspace that exists',
      });
    if (partition >= map.partitions)
      throw invalid(
        'target.partition',
        `${partition} of ${map.partitions}`,
        'compute the partition from the key with the scheme of the map',
        `0 to ${map.partitions - 1}`,
      );
    return map;
  }

  private recordOf(target: Target, map: KeyspaceMap): PartitionRecord {
    return newerOf(this.options.replica(keyOf(target))?.machine.record, map, target.partition);
  }

  private async wait(target: Target, access: Access, remainingMs: number): Promise<Admitted> {
    const { clock } = this.options;
    const began = clock.monotonicMs();
    const end = began + Math.min(remainingMs, LONGEST_WAIT_MS);
    for (;;) {
      const verdict = this.check(target, access);
      if (verdict !== 'newer' && verdict !== 'preparing') return verdict;
      const until = verdict === 'newer' ? Math.min(end, began + NEWER_MAP_WAIT_MS) : end;
      const left = until - clock.monotonicMs();
      if (left <= 0) throw verdict === 'newer' ? this.notOwner(target, this.mapFor(target)) : this.notReady(target);
      const replica = this.options.replica(keyOf(target));
      // Without a replica there is nothing to tell of a change, so it is looked for.
      await (replica?.change(Math.min(left, verdict === 'newer' ? 20 : left)) ?? this.pause(Math.min(left, 20)));
    }
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.options.clock.after(ms, resolve));
  }

  private notReady(target: Target): CadastreError {
    return new CadastreError(
      'UNAVAILABLE',
      `${target.keyspace}/${target.partition}: ${this.options.node} was not ready to lead in time; nothing was changed`,
      { remedy: 'retry with backoff' },
    );
  }
}

/** The newer of the map's record and the replica's, which an answer of the controller may have told first. */
const newerOf = (own: PartitionRecord | undefined, map: KeyspaceMap, partition: number): PartitionRecord =>
  own && own.epoch >= map.epochOf(partition) ? own : map.record(partition);

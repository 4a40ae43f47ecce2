import type { FoundCopy, KeyspaceMap, RecoveredKeyspace, Recovery } from '@cadastre/core';
import {
  CadastreError,
  compareGenerations,
  invalid,
  isAsRestored,
  LIMITS,
  printable,
  recover,
  recoverySentence,
} from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import { encodeGeneration } from '@cadastre/contracts';
import type { Clock, Logger, NewId } from '@cadastre/runtime';
import { sha256Hex } from '@cadastre/runtime';
import type { Compare, Draft, RecoveryRecord, Register, RegisterState, Store } from '@cadastre/store';
import {
  clusterCodec,
  compare,
  isWaitingForRecovery,
  join,
  keys,
  op,
  recoveryCodec,
  SEGMENT,
  writeSegments,
} from '@cadastre/store';
import type { Observed } from '../controller/observed.js';
import { isConnected } from '../controller/world.js';
import type { Act, ActOnRecovery } from '../operations/ports.js';
import { adoptKeyspacePart, missingNodesPart, notWaiting, strayFloorsPart } from './adoption.js';
import type { FetchMap } from './fetch-map.js';

export interface RecoveryOptions {
  readonly store: Store;
  readonly register: Register;
  readonly observed: Observed;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly newId: NewId;
  readonly fetchMap: FetchMap;
}

/** A report that is older than this says nothing of what its node has now. */
const REPORT_AGE_MS = 15_000;
const LOOK_MS = 1_000;
/** Three to four operations each, of etcd's 128 a transaction. */
const KEYSPACES_A_TXN = 20;

/**
 * After a restore: finds out from the agents what the register does not know, offers it to a person, and makes the register go on with
 * what was approved. Holds nothing that a successor would need.
 */
export class RecoveryDriver {
  /** Fetched already, by keyspace. */
  private readonly maps = new Map<string, KeyspaceMap>();
  private lookedAt = Number.NEGATIVE_INFINITY;
  private said = '';

  constructor(private readonly options: RecoveryOptions) {}

  private get state(): RegisterState {
    return this.options.register.state;
  }

  /** Where nothing differs and nobody is missing there is nothing to decide: the register goes on by itself. */
  async round(fence: Compare): Promise<void> {
    const now = this.options.clock.monotonicMs();
    if (!isWaitingForRecovery(this.state) || now - this.lookedAt < LOOK_MS) return;
    this.lookedAt = now;
    const found = await this.look();
    const known = found.keyspaces.map(recoverySentence).join('; ');
    const missing = found.waitsFor.length > 0 ? `; not heard: ${found.waitsFor.join(', ')}` : '';
    const sentence = `the register was restored and waits: ${known || 'no keyspace is known'}${missing}`;
    if (sentence !== this.said)
      this.options.logger.warn(sentence, { event: 'recovery', remedy: 'cadastre recovery show' });
    this.said = sentence;
    if (this.heard().size > 0 && isAsRestored(found))
      await this.adopt(found, fence, { actor: 'cadastre', reason: 'every agent has what the copy has' });
  }

  async view(): Promise<Wire.Recovery> {
    const record = this.state.recovery?.value;
    if (!record) return { state: 'none', because: 'the register was not restored, or that is over' };
    return viewOf(this.state, record, await this.look());
  }

  /** @throws CadastreError FAILED_PRECONDITION, PLAN_CHANGED, INVALID_ARGUMENT */
  async act({ action, digest, without = [], ...act }: ActOnRecovery, fence: Compare): Promise<Wire.Recovery> {
    if (action === 'approve') await this.approve(digest ?? '', without, act, fence);
    else if (action === 'finish') await this.finish(act, fence);
    else throw invalid('action', `"${printable(action)}" is unknown`, 'use approve or finish');
    return this.view();
  }

  private async approve(digest: string, without: readonly string[], act: Act, fence: Compare): Promise<void> {
    if (!isWaitingForRecovery(this.state)) throw notWaiting(this.state.recovery?.value.state ?? 'it was not restored');
    const found = await this.look();
    const missing = found.waitsFor.filter((node) => !without.includes(node));
    if (missing.length > 0)
      throw new CadastreError('FAILED_PRECONDITION', `not heard yet: ${missing.join(', ')}`, {
        field: 'without',
        remedy: `bring them back; or, if they are lost for good and what only they knew with them: --without ${missing.join(',')}`,
      });
    if (digest !== digestOf(found))
      throw new CadastreError('PLAN_CHANGED', 'what the agents have is not what was read', {
        field: 'digest',
        remedy: 'read it again: cadastre recovery show',
      });
    await this.adopt(found, fence, act);
  }

  /** Maps first, under ids that nothing names; what makes them the register's is one transaction for up to twenty keyspaces. */
  private async adopt(found: Recovery, fence: Compare, act: Act): Promise<void> {
    const { store, register, newId, logger } = this.options;
    const adopted = [];
    for (const keyspace of found.keyspaces) {
      const id = newId(6);
      if (keyspace.verdict !== 'gone') await writeSegments(store, id, keyspace.records, SEGMENT);
      adopted.push({ keyspace, id });
    }
    for (let from = 0; from + KEYSPACES_A_TXN < adopted.length; from += KEYSPACES_A_TXN) {
      const some = adopted.slice(from, from + KEYSPACES_A_TXN);
      await register.commit((state) => this.draft(state, some, found), fence);
    }
    const last = adopted.slice(Math.floor(Math.max(0, adopted.length - 1) / KEYSPACES_A_TXN) * KEYSPACES_A_TXN);
    const { result } = await register.commit((state) => this.lastDraft(state, last, found, act), fence);
    logger.warn('the register goes on after a restore', { event: 'recovered', by: act.actor, found: result });
    this.maps.clear();
  }

  private draft(
    state: RegisterState,
    adopted: readonly { keyspace: RecoveredKeyspace; id: string }[],
    found: Recovery,
  ): Draft<readonly string[]> {
    const { recovery } = state;
    if (!recovery || recovery.value.state !== 'waiting') throw notWaiting(recovery?.value.state ?? 'it is over');
    const nowMs = Math.round(this.options.clock.wallMs());
    const nodes = missingNodesPart(
      state,
      adopted.map((a) => a.keyspace),
      nowMs,
    );
    const parts = adopted.map((each) => adoptKeyspacePart(state, each, nowMs));
    const guard = { compare: [compare.modRevision(keys.recovery, recovery.revision)], ops: [] };
    return { ...join(guard, nodes, ...parts), result: found.keyspaces.map(recoverySentence) };
  }

  private lastDraft(
    state: RegisterState,
    adopted: readonly { keyspace: RecoveredKeyspace; id: string }[],
    found: Recovery,
    { actor, reason = '' }: Act,
  ): Draft<readonly string[]> {
    const part = this.draft(state, adopted, found);
    const { cluster } = state;
    if (!cluster) throw notWaiting('it has no name');
    const incarnation = found.keyspaces[0]?.generation.incarnation ?? cluster.value.incarnation;
    const known = new Set(found.keyspaces.map((k) => k.name));
    const strays = strayFloorsPart(state, found.unnamed, known, incarnation);
    const approvedMs = Math.round(this.options.clock.wallMs());
    const record: RecoveryRecord = {
      ...state.recovery!.value,
      state: 'adopted',
      approvedBy: actor,
      approvedMs,
      found: part.result,
    };
    const done = {
      compare: [compare.modRevision(keys.cluster, cluster.revision)],
      ops: [
        op.put(keys.recovery, recoveryCodec.encode(record)),
        op.put(keys.cluster, clusterCodec.encode({ ...cluster.value, incarnation })),
      ],
    };
    return {
      ...join(part, strays, done),
      result: part.result,
      audit: {
        actor,
        verb: 'recover',
        subject: 'register',
        reason: printable(reason, LIMITS.reasonCharsMax),
        before: `incarnation ${record.fromIncarnation}`,
        after: printable(part.result.join('; '), 4 * LIMITS.reasonCharsMax),
        generation: found.keyspaces.map(({ name, generation }) => ({ keyspace: name, generation })),
      },
    };
  }

  /** A person says that nothing need be kept beyond what the maps name. */
  private async finish({ actor, reason = '' }: Act, fence: Compare): Promise<void> {
    await this.options.register.commit((state): Draft<void> => {
      const { recovery } = state;
      if (recovery?.value.state !== 'adopted') throw notWaiting(recovery ? 'nothing is approved yet' : 'it is over');
      return {
        compare: [compare.modRevision(keys.recovery, recovery.revision)],
        ops: [op.delete(keys.recovery)],
        result: undefined,
        audit: {
          actor,
          verb: 'finish-recovery',
          subject: 'register',
          reason: printable(reason, LIMITS.reasonCharsMax),
        },
      };
    }, fence);
  }

  private async look(): Promise<Recovery> {
    const { state } = this;
    const heard = this.heard();
    const { found, unread } = await this.newestMaps(heard);
    const registered = new Map([...state.keyspaces].map(([name, { map }]) => [name, map]));
    // A copy that was restored before: whoever has heard of that register must not take this one for an older one.
    const heardOf = [...found.values()].reduce((highest, m) => Math.max(highest, m.generation.incarnation), 0);
    const incarnation = Math.max(state.cluster?.value.incarnation ?? 1, heardOf + 1);
    return recover({ incarnation, registered, found, unread, copies: this.copies(heard), heard });
  }

  private heard(): Set<string> {
    const { observed, clock } = this.options;
    const now = clock.monotonicMs();
    const heard = new Set<string>();
    for (const { node } of observed.reports()) {
      const at = observed.heardAt(node) ?? Number.NEGATIVE_INFINITY;
      if (isConnected(this.state, node) && now - at <= REPORT_AGE_MS) heard.add(node);
    }
    return heard;
  }

  private copies(heard: ReadonlySet<string>): FoundCopy[] {
    const copies: FoundCopy[] = [];
    for (const { node, replicas } of this.options.observed.reports()) {
      if (!heard.has(node)) continue;
      for (const { keyspace, partition, epoch, whole, lastEpoch, lastSeq, phase, record } of replicas)
        copies.push({
          node,
          keyspace,
          partition,
          promisedEpoch: epoch,
          whole,
          lastEpoch,
          lastSeq,
          setAside: phase === 'quarantined',
          ...(record && { record }),
        });
    }
    return copies;
  }

  /** @returns the newest map of each keyspace, and where one is that could not be had */
  private async newestMaps(heard: ReadonlySet<string>) {
    const newest = new Map<string, { node: string; generation: KeyspaceMap['generation'] }>();
    for (const { node, applied } of this.options.observed.reports()) {
      if (!heard.has(node)) continue;
      for (const { keyspace, generation } of applied) {
        const best = newest.get(keyspace);
        if (!best || compareGenerations(generation, best.generation) > 0) newest.set(keyspace, { node, generation });
      }
    }
    const found = new Map<string, KeyspaceMap>();
    const unread = new Map<string, string>();
    for (const [keyspace, { node, generation }] of newest) {
      const map = await this.mapFrom(node, keyspace, generation);
      if (map) found.set(keyspace, map);
      else unread.set(keyspace, node);
    }
    return { found, unread };
  }

  private async mapFrom(
    node: string,
    keyspace: string,
    generation: KeyspaceMap['generation'],
  ): Promise<KeyspaceMap | undefined> {
    const held = this.maps.get(keyspace) ?? this.state.keyspaces.get(keyspace)?.map;
    if (held && compareGenerations(held.generation, generation) === 0) return held;
    const address = this.state.nodes.get(node)?.value.entry.address;
    if (address === undefined) return undefined;
    try {
      const map = await this.options.fetchMap(address, keyspace);
      if (map) this.maps.set(keyspace, map);
      return map && compareGenerations(map.generation, generation) >= 0 ? map : undefined;
    } catch (error) {
      this.options.logger.warn('an agent does not give its map', { node, keyspace, reason: String(error) });
      return undefined;
    }
  }
}

/** Of what counts, not of the epochs: those rise by themselves. */
const digestOf = ({ keyspaces, waitsFor }: Recovery): string =>
  sha256Hex(
    JSON.stringify([
      waitsFor,
      keyspaces.map(({ name, verdict, known, partitions, records }) => [
        name,
        verdict,
        known.incarnation,
        known.number,
        partitions,
        records.map((r) => r.replicas.map((x) => `${x.node}${x.role[0]}${x.inSync ? '+' : '-'}`).join(' ')),
      ]),
    ]),
  );

const viewOf = (state: RegisterState, record: RecoveryRecord, found: Recovery): Wire.Recovery => {
  const { sinceMs, actor, reason, sha256, takenMs, fromIncarnation, approvedBy, approvedMs } = record;
  const waiting = record.state === 'waiting';
  return {
    state: record.state,
    digest: waiting ? digestOf(found) : '',
    keyspaces: waiting ? found.keyspaces.map(keyspaceView) : [],
    waitsFor: waiting ? [...found.waitsFor] : [],
    keptCopies: found.unnamed.length,
    incarnation: state.cluster?.value.incarnation ?? 0,
    fromIncarnation,
    sinceMs,
    actor,
    reason,
    sha256,
    takenMs,
    approvedBy,
    approvedMs,
    found: [...record.found],
    because: waiting ? waitingBecause(found) : adoptedBecause(found),
  };
};

const keyspaceView = (keyspace: RecoveredKeyspace): Wire.KeyspaceRecovery => ({
  name: keyspace.name,
  verdict: keyspace.verdict,
  known: encodeGeneration(keyspace.known),
  partitions: keyspace.partitions,
  changed: keyspace.changed.length,
  sentence: recoverySentence(keyspace),
});

const waitingBecause = ({ waitsFor }: Recovery): string =>
  waitsFor.length > 0
    ? `waits for ${waitsFor.join(', ')}: each of them may know more than all others`
    : 'every node that holds copies has been heard: read what was found and approve it';

const adoptedBecause = ({ unnamed }: Recovery): string =>
  `the register goes on; ${unnamed.length} copies that no map names are kept until cadastre recovery finish`;

import { checkName, invalid, LATENCY_BUCKETS, LIMITS, printable } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import { decodeKnown, decodeRecord } from '@cadastre/contracts';
import type {
  AgentReport,
  ChangeInSyncCommand,
  InSyncReceipt,
  ReplicaLoad,
  ReplicaReport,
} from '../controller/reports.js';

const PHASES = ['serving', 'sealing', 'following', 'filling', 'quarantined', 'idle'];
const REPLICAS_MAX = LIMITS.partitionsMax;

/** 64-bit counts of ours stay below 2^53; anything else is refused, never rounded. */
const count = (field: string, value: number): number => {
  if (!Number.isSafeInteger(value) || value < 0)
    throw invalid(field, `${value} is no count`, 'send a whole number', '0 to 2^53 - 1');
  return value;
};

const COUNTS = [
  'partition',
  'epoch',
  'lastSeq',
  'appliedSeq',
  'records',
  'bytes',
  'filledBytes',
  'fillTotalBytes',
  'lastEpoch',
] as const;

const decodeReplica = (wire: Wire.ReplicaReport__Output, i: number): ReplicaReport => {
  const at = `replicas[${i}]`;
  checkName(`${at}.keyspace`, wire.keyspace);
  if (!PHASES.includes(wire.phase))
    throw invalid(`${at}.phase`, `"${printable(wire.phase)}" is unknown`, `use one of ${PHASES.join(', ')}`);
  for (const field of COUNTS) count(`${at}.${field}`, wire[field]);
  if (wire.appliedSeq > wire.lastSeq)
    throw invalid(
      `${at}.appliedSeq`,
      `${wire.appliedSeq} is beyond lastSeq ${wire.lastSeq}`,
      'report what is in the log',
      `at most ${wire.lastSeq}`,
    );
  const { record, load, ...figures } = wire;
  return {
    ...figures,
    load: load ? decodeLoad(`${at}.load`, load) : undefined,
    ...(record && { record: decodeRecord(record) }),
  };
};

const decodeLoad = (at: string, load: Wire.ReplicaLoad__Output): ReplicaLoad => {
  const { reads, writes, latencyFirst, latencyCounts } = load;
  count(`${at}.reads`, reads);
  count(`${at}.writes`, writes);
  if (latencyFirst + latencyCounts.length > LATENCY_BUCKETS)
    throw invalid(
      `${at}.latencyCounts`,
      'goes beyond the last bucket',
      'see agent.proto',
      `${LATENCY_BUCKETS} buckets`,
    );
  for (const n of latencyCounts) count(`${at}.latencyCounts`, n);
  return { reads, writes, latencyFirst, latencyCounts };
};

/** @throws CadastreError INVALID_ARGUMENT naming the field */
export const decodeReport = (wire: Wire.ReportRequest__Output): AgentReport => {
  checkName('node', wire.node);
  if (wire.incarnation === '') throw invalid('incarnation', 'is empty', 'send that of the Hello');
  if (wire.replicas.length > REPLICAS_MAX)
    throw invalid('replicas', `${wire.replicas.length} of them`, 'report each partition once', `${REPLICAS_MAX}`);
  return {
    node: wire.node,
    incarnation: wire.incarnation,
    applied: decodeKnown(wire.applied),
    replicas: wire.replicas.map(decodeReplica),
  };
};

const decodeReceipt = (wire: Wire.InSyncReceipt__Output, i: number): InSyncReceipt => ({
  node: checkName(`add[${i}].node`, wire.node),
  seq: count(`add[${i}].seq`, wire.seq),
  records: count(`add[${i}].records`, wire.records),
  digest: wire.digest,
});

/** @throws CadastreError INVALID_ARGUMENT naming the field */
export const decodeChangeInSync = (wire: Wire.ChangeInSyncRequest__Output): ChangeInSyncCommand => {
  checkName('node', wire.node);
  checkName('keyspace', wire.keyspace);
  count('epoch', wire.epoch);
  if (wire.add.length + wire.remove.length > LIMITS.replicationFactorMax * 2)
    throw invalid('add', 'too many nodes', 'a partition has few replicas', `${LIMITS.replicationFactorMax * 2}`);
  return {
    node: wire.node,
    keyspace: wire.keyspace,
    partition: wire.partition,
    epoch: wire.epoch,
    add: wire.add.map(decodeReceipt),
    remove: wire.remove.map((node, i) => checkName(`remove[${i}]`, node)),
    reason: printable(wire.reason, LIMITS.reasonCharsMax),
  };
};

const CHANGES_MAX = 512;

/** @throws CadastreError INVALID_ARGUMENT naming the field */
export const decodeChanges = (changes: readonly Wire.ChangeInSyncRequest__Output[]): ChangeInSyncCommand[] => {
  if (changes.length > CHANGES_MAX)
    throw invalid('changes', `has ${changes.length}`, 'ask in several calls', `${CHANGES_MAX}`);
  return changes.map(decodeChangeInSync);
};

const SUSPICIONS_MAX = 1_000;

export interface SuspectCommand {
  readonly node: string;
  readonly suspicions: readonly { readonly node: string; readonly why: string }[];
}

/** @throws CadastreError INVALID_ARGUMENT naming the field */
export const decodeSuspect = (wire: Wire.SuspectRequest__Output): SuspectCommand => {
  checkName('node', wire.node);
  if (wire.suspicions.length > SUSPICIONS_MAX)
    throw invalid('suspicions', `${wire.suspicions.length} of them`, 'name each node once', `${SUSPICIONS_MAX}`);
  return {
    node: wire.node,
    suspicions: wire.suspicions.map(({ node, why }, i) => ({
      node: checkName(`suspicions[${i}].node`, node),
      why: printable(why),
    })),
  };
};

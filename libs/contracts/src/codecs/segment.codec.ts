import type { PartitionRecord, Replica, ReplicaRole, ReplicaState } from '@cadastre/core';
import { ForwardReader } from '../frames/forward-reader.js';
import { roleIn, safeInteger, stateIn } from './records.codec.js';

const varint = (field: number): number => field << 3;
const length = (field: number): number => (field << 3) | 2;

const reader = new ForwardReader();

/**
 * The records of a MapSegment, read by hand: a register of a million partitions is read at every start of a control plane, and through
 * general objects that took most of its time and memory. Held against the contract by its spec.
 * @throws CadastreError DATA_LOSS, INVALID_ARGUMENT
 */
export const decodeSegment = (bytes: Uint8Array): PartitionRecord[] => {
  reader.load(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  const records: PartitionRecord[] = [];
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === length(1)) records.push(readRecord());
    else reader.skip(tag);
  }
  return records;
};

const readRecord = (): PartitionRecord => {
  const outer = reader.enter();
  let partition = 0;
  let epoch = 0;
  const replicas: Replica[] = [];
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === varint(1)) partition = reader.uint32();
    else if (tag === varint(2)) epoch = safeInteger('record.epoch', reader.uint());
    else if (tag === length(3)) replicas.push(readReplica());
    else reader.skip(tag);
  }
  reader.leave(outer);
  return { partition, epoch, replicas };
};

const readReplica = (): Replica => {
  const outer = reader.enter();
  let node = '';
  let role: ReplicaRole | undefined;
  let state: ReplicaState | undefined;
  let inSync = false;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === length(1)) node = reader.text();
    else if (tag === varint(2)) role = roleIn(reader.uint32());
    else if (tag === varint(3)) state = stateIn(reader.uint32());
    else if (tag === varint(4)) inSync = reader.bool();
    else reader.skip(tag);
  }
  reader.leave(outer);
  return { node, role: role ?? roleIn(0), state: state ?? stateIn(0), inSync };
};

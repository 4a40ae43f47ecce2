import { describe, expect, it } from '@jest/globals';
import type { PartitionRecord } from '@cadastre/core';
import { REPLICA_ROLES, REPLICA_STATES } from '@cadastre/core';
import * as fc from 'fast-check';
import type * as Wire from '../generated/index.js';
import { messageCodec, messageFields } from '../proto.js';
import { encodeRecord } from './records.codec.js';
import { decodeSegment } from './segment.codec.js';

const segments = messageCodec<Wire.MapSegment, Wire.MapSegment__Output>('MapSegment');
const encode = (records: readonly PartitionRecord[]) => segments.encode({ records: records.map(encodeRecord) });

const replica = fc.record({
  node: fc.string({ unit: 'binary', maxLength: 70 }),
  role: fc.constantFrom(...REPLICA_ROLES),
  state: fc.constantFrom(...REPLICA_STATES),
  inSync: fc.boolean(),
});
const record = fc.record({
  partition: fc.integer({ min: 0, max: 0xffffffff }),
  epoch: fc.oneof(fc.nat(300), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })),
  replicas: fc.array(replica, { maxLength: 5 }),
});

describe('segments of a map, read by hand', () => {
  it('are what was written by the contract', () => {
    // Plan: random records through the general encoder and this decoder.
    fc.assert(
      fc.property(fc.array(record, { maxLength: 20 }), (records) =>
        expect(decodeSegment(encode(records))).toEqual(records),
      ),
    );
  });

  it('pass over fields that a newer version writes, and know all fields of this one', () => {
    // Plan: an unknown varint, text and fixed number at each level; then the fields that the contract has.
    const unknown = Buffer.from([0x78, 0x05, 0x7a, 0x01, 0x41, 0x7d, 1, 2, 3, 4]);
    const nested = (tag: number, ...parts: Buffer[]) => {
      const body = Buffer.concat(parts);
      return Buffer.concat([Buffer.from([tag, body.length]), body]);
    };
    const node = nested(0x1a, unknown, Buffer.from([0x0a, 0x02, 0x6e, 0x31, 0x10, 0x01, 0x18, 0x02, 0x20, 0x01]));
    const bytes = Buffer.concat([unknown, nested(0x0a, Buffer.from([0x08, 0x07, 0x10, 0x03]), unknown, node)]);
    const replicas = [{ node: 'n1', role: 'leader', state: 'available', inSync: true }];
    expect(decodeSegment(bytes)).toEqual([{ partition: 7, epoch: 3, replicas }]);
    expect(messageFields('MapSegment')).toEqual(['records']);
    expect(messageFields('PartitionRecord')).toEqual(['partition', 'epoch', 'replicas']);
    expect(messageFields('Replica')).toEqual(['node', 'role', 'state', 'inSync']);
  });

  it('are refused where they are damaged', () => {
    // Plan: a role and a state that nobody knows, none, a number beyond what is exact, and a cut.
    const of = (...replicaBytes: number[]) =>
      Buffer.from([0x0a, replicaBytes.length + 2, 0x1a, replicaBytes.length, ...replicaBytes]);
    for (const broken of [of(0x10, 9, 0x18, 2), of(0x10, 1, 0x18, 9), of(0x0a, 0)])
      expect(() => decodeSegment(broken)).toThrow(expect.objectContaining({ code: 'DATA_LOSS' }));
    const epoch = Buffer.from([0x0a, 10, 0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]);
    expect(() => decodeSegment(epoch)).toThrow(expect.objectContaining({ code: 'DATA_LOSS' }));
    const whole = encode([
      { partition: 1, epoch: 1, replicas: [{ node: 'n1', role: 'leader', state: 'available', inSync: true }] },
    ]);
    expect(() => decodeSegment(whole.subarray(0, whole.length - 1))).toThrow();
  });
});

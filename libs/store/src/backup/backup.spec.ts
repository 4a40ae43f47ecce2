import { beforeEach, describe, expect, it } from '@jest/globals';
import type { KeyspaceSpec } from '@cadastre/core';
import { newRecord } from '@cadastre/core';
import { silentLogger, systemClock } from '@cadastre/runtime';
import { keys, SEGMENT } from '../keys.js';
import { MemoryDatabase } from '../memory/memory-database.js';
import { MemoryStore } from '../memory/memory-store.js';
import { op } from '../ops.js';
import { clusterPart, keyspacePart, writeSegments } from '../register/drafts.js';
import { RegisterMirror } from '../register/mirror.js';
import { headCodec } from '../register/records.js';
import { Register } from '../register/register.js';
import { backupMagic, frameBytes, readBackup } from './backup-file.js';
import type { BackupFrame } from './backup-frames.js';
import { BackupCheck } from './check-backup.js';
import { takeBackup } from './take-backup.js';

const PARTITIONS = 10_000;
const spec: KeyspaceSpec = {
  name: 'orders',
  scheme: { kind: 'hash-slots', slots: PARTITIONS, hash: 'crc16', hashTags: false },
  replicationFactor: 1,
  minInSync: 1,
  spread: [],
};
const HOW = { actor: 'ann', nowMs: 5 };

let store: MemoryStore;

beforeEach(async () => {
  store = new MemoryStore({ database: new MemoryDatabase(systemClock) });
  const mirror = new RegisterMirror(store, silentLogger, {
    onChange: () => undefined,
    onFatal: (error) => {
      throw error;
    },
  });
  await mirror.start();
  const register = new Register(store, mirror, { clock: systemClock });
  await register.commit(() => ({ ...clusterPart('c1'), result: 0 }));
  const records = Array.from({ length: PARTITIONS }, (_, p) => newRecord(p, ['n1']));
  await writeSegments(store, 'k1', records, SEGMENT);
  const audit = { actor: 'ann', verb: 'create', subject: 'keyspace/orders' };
  await register.commit((state) => ({ ...keyspacePart(state, spec, 'k1', PARTITIONS, 1), result: 0, audit }));
  mirror.stop();
});

const all = async (frames: AsyncIterable<BackupFrame>): Promise<BackupFrame[]> => {
  const found: BackupFrame[] = [];
  for await (const frame of frames) found.push(frame);
  return found;
};
const take = () => all(takeBackup(store, HOW));
const check = (frames: readonly BackupFrame[]) => {
  const checking = new BackupCheck();
  for (const frame of frames) checking.take(frame);
  return checking.finish();
};
async function* pieces(bytes: Uint8Array, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
const fileOf = (frames: readonly BackupFrame[]): Buffer => Buffer.concat([backupMagic(), ...frames.map(frameBytes)]);
const damage = (why: string) => expect.objectContaining({ code: 'DATA_LOSS', message: expect.stringContaining(why) });

describe('a backup', () => {
  it('is the register at one revision, whatever is written meanwhile, and goes through a file whole', async () => {
    // Plan: take one, write between two pages, read it back in odd pieces, check it; what lies under a lease is not in it.
    const lease = await store.grantLease(60_000);
    await store.txn({ compare: [], success: [op.put(keys.session('n1'), Buffer.from('s'), lease.id)] });
    const before = (await store.range(keys.cluster)).revision;
    const frames: BackupFrame[] = [];
    for await (const frame of takeBackup(store, HOW)) {
      frames.push(frame);
      const head = headCodec.encode({ incarnation: 1, number: 90 + frames.length });
      await store.txn({ compare: [], success: [op.put(keys.mapHead('k1'), head), op.put(keys.node('late'), head)] });
    }
    const report = check(await all(readBackup(pieces(fileOf(frames), 1_013))));
    expect(report.header).toMatchObject({ format: 1, clusterId: 'c1', incarnation: 1, revision: Number(before) });
    const counts = Object.fromEntries(report.trailer.counts.map((c) => [c.kind, c.entries]));
    expect(counts).toEqual({
      'audit-entry': 1,
      'audit-head': 1,
      cluster: 1,
      keyspace: 1,
      'map-head': 1,
      'map-segment': Math.ceil(PARTITIONS / SEGMENT),
      other: 1,
    });
    expect(report.audit.intact).toBe(true);
    expect(report.auditHead?.number).toBe(1);
  });

  it('has the same digest however it is cut into frames', async () => {
    // Plan: one frame for each entry instead of few; the trailer still fits.
    const frames = await take();
    const single = frames.flatMap((f): BackupFrame[] =>
      f.kind === 'entries' ? f.entries.map((entry) => ({ kind: 'entries', entries: [entry] })) : [f],
    );
    expect(single.length).toBeGreaterThan(frames.length);
    expect(check(single).trailer).toEqual(check(frames).trailer);
  });

  it('is refused where it is not whole', async () => {
    // Plan: each way to damage one, and the words that say which.
    const frames = await take();
    const [header, ...rest] = frames as [Extract<BackupFrame, { kind: 'header' }>, ...BackupFrame[]];
    const trailer = rest.at(-1)!;
    const entries = frames.flatMap((f) => (f.kind === 'entries' ? f.entries : []));
    const around = (changed: typeof entries): BackupFrame[] => [header, { kind: 'entries', entries: changed }, trailer];
    const cases: [BackupFrame[], string][] = [
      [[header, ...rest.slice(0, -1)], 'ends too early'],
      [rest, 'does not begin with a header'],
      [[header, ...frames], 'two headers'],
      [[...frames, trailer], 'goes on after its end'],
      [around([...entries].reverse()), 'out of order'],
      [around(entries.slice(1)), 'its SHA-256'],
      [around(entries.map((e, i) => (i === 2 ? { ...e, revision: header.header.revision + 1 } : e))), 'of revision'],
      [
        around(entries.map((e) => (e.key === keys.cluster ? { ...e, value: Buffer.from([0xff]) } : e))),
        'cannot be read',
      ],
      [around([{ ...entries[0]!, key: 'other/key' }]), 'no key of a register'],
    ];
    for (const [broken, why] of cases) expect(() => check(broken)).toThrow(damage(why));
    const newer: BackupFrame = { kind: 'header', header: { ...header.header, format: 2 } };
    expect(() => check([newer, ...rest])).toThrow(
      expect.objectContaining({ code: 'FAILED_PRECONDITION', field: 'format' }),
    );
  });

  it('is refused where segments of a map are missing, although its digest fits', async () => {
    // Plan: delete a segment from the store, take a backup of that.
    await store.txn({ compare: [], success: [op.delete(keys.mapSegment('k1', 3))] });
    const frames = await take();
    expect(() => check(frames)).toThrow(damage('orders has 9936 partitions in its map'));
  });

  it('is refused as a file that was cut or is none', async () => {
    // Plan: cut at some places, change one byte, give another file; each is told, none is believed.
    const file = fileOf(await take());
    const read = async (bytes: Buffer) => check(await all(readBackup(pieces(bytes, 65_536))));
    await expect(read(file.subarray(0, file.length - 3))).rejects.toThrow(damage('ends too early'));
    await expect(read(file.subarray(0, 18))).rejects.toThrow(damage('ends too early'));
    await expect(read(Buffer.from('something else, of some length'))).rejects.toThrow(damage('does not begin as one'));
    await expect(read(Buffer.alloc(0))).rejects.toThrow(damage('does not begin as one'));
    const flipped = Buffer.from(file);
    flipped[file.length >> 1]! ^= 1;
    await expect(read(flipped)).rejects.toThrow(expect.objectContaining({ code: 'DATA_LOSS' }));
  });

  it('notices any bit that is not as it was written', async () => {
    // Plan: each bit of a small file's entries and trailer is turned, one at a time; protobuf itself overlooks some of them.
    const [header, ...rest] = await take();
    const small = rest.map((frame): BackupFrame =>
      frame.kind === 'entries' ? { kind: 'entries', entries: frame.entries.slice(0, 3) } : frame,
    );
    const begin = fileOf([header!]).length;
    const file = Buffer.from(fileOf([header!, ...small]));
    const contentOf = async (bytes: Buffer) => JSON.stringify(await all(readBackup(pieces(bytes, 65_536))));
    const before = await contentOf(file);
    const silent: number[] = [];
    for (let bit = begin * 8; bit < file.length * 8; bit += file.length > 4_000 ? 7 : 1) {
      const turned = Buffer.from(file);
      turned[bit >> 3]! ^= 1 << (bit & 7);
      if ((await contentOf(turned).catch(() => 'refused')) === before) silent.push(bit);
    }
    expect(silent).toEqual([]);
  });

  it('says when there is nothing to copy, and when the store forgot what was copied', async () => {
    // Plan: an empty store; then a compaction between two pages.
    const empty = new MemoryStore({ database: new MemoryDatabase(systemClock) });
    await expect(all(takeBackup(empty, HOW))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const copying = takeBackup(store, HOW);
    await copying.next();
    const { revision } = await store.txn({ compare: [], success: [op.put(keys.node('x'), Buffer.alloc(0))] });
    await store.compact(revision);
    await expect(all(copying)).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
  });
});

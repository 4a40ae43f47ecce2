import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { TABLES } from '../core/backing.js';
import { bytes, describeEngine, entry, P0, put, type EngineHarness } from '../testing/engine-contract.js';
import { filledPair } from '../testing/filled-pair.js';
import { itMatchesTheModel } from '../testing/engine-model.js';
import { LmdbBacking } from './lmdb-backing.js';
import { LmdbEngine } from './lmdb-engine.js';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Kills the child with SIGKILL as soon as it has acknowledged `enough`. */
const killAfter = (directory: string, enough: number, script = 'append'): Promise<number> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [
      '--import',
      here('../testing/ts-hooks.mjs'),
      here(`../testing/${script}-until-killed.ts`),
      directory,
    ]);
    let output = '';
    let errors = '';
    const acknowledged = () =>
      Math.max(
        0,
        ...output
          .slice(0, output.lastIndexOf('\n') + 1)
          .split('\n')
          .map(Number),
      );
    child.stderr.on('data', (data) => (errors += String(data)));
    child.stdout.on('data', (data) => {
      output += String(data);
      if (acknowledged() >= enough) child.kill('SIGKILL');
    });
    child.on('error', reject);
    child.on('close', (_code, signal) => (signal === 'SIGKILL' ? resolve(acknowledged()) : reject(new Error(errors))));
  });

const lmdbHarness = async (): Promise<EngineHarness> => {
  const directory = await mkdtemp(join(tmpdir(), 'engine-'));
  const again = () => new LmdbEngine({ directory });
  return {
    create: again,
    again,
    storedKeys: async () => {
      const backing = new LmdbBacking({ directory });
      await backing.open();
      // Above the key of the checkpoint.
      const count = TABLES.reduce(
        (sum, table) => sum + backing.keys(table, { start: Buffer.of(0, 0), end: Buffer.alloc(9, 0xff) }, 1e6).length,
        0,
      );
      await backing.close();
      return count;
    },
    killDuringAppends: () => killAfter(directory, 300),
    dispose: () => rm(directory, { recursive: true, force: true }),
  };
};

describeEngine('lmdb', lmdbHarness);
itMatchesTheModel(lmdbHarness, 25);

describe('lmdb engine', () => {
  const inDirectory = async (task: (directory: string) => Promise<void>): Promise<void> => {
    const directory = await mkdtemp(join(tmpdir(), 'engine-'));
    try {
      await task(directory);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  };

  it('takes over the lock of a process that is gone, refuses that of one that lives', () =>
    // Plan: a lock file naming a live process, then a dead one, then this pid with another start time (a container's pid 1).
    inDirectory(async (directory) => {
      const lock = join(directory, 'engine.pid');
      const open = async (): Promise<void> => {
        const engine = new LmdbEngine({ directory });
        await engine.open();
        expect(await readFile(lock, 'utf8')).toMatch(new RegExp(`^${process.pid} `));
        await engine.close();
      };
      await writeFile(lock, `${process.ppid}\n`);
      await expect(open()).rejects.toMatchObject({ code: 'FAILED_PRECONDITION', field: 'directory' });
      await writeFile(lock, '4194305 1\n');
      await open();
      await writeFile(lock, `${process.pid} 1\n`);
      await open();
    }));

  it('goes on with a fill that was killed, from the last durable chunk', () =>
    // Plan: kill -9 while chunks are stored; exactly the pairs up to where the fill says it is are there, and at least those that were
    // acknowledged; the rest is filled, and the digest is that of a copy that was never cut short.
    inDirectory(async (directory) => {
      const acknowledged = await killAfter(directory, 2000, 'fill');
      const engine = new LmdbEngine({ directory });
      await engine.open();
      const { count = 0, filling } = engine.meta(P0) ?? {};
      expect(count).toBeGreaterThanOrEqual(acknowledged);
      expect(filling).toEqual({ snapshotSeq: 7, resumeAfter: filledPair(count - 1)[0] });
      expect(engine.scan(P0, { limit: 1e6, maxBytes: 1e9 }).entries).toHaveLength(count);
      const rest = Array.from({ length: 100 }, (_, i) => filledPair(count + i));
      const all = Array.from({ length: count + 100 }, (_, i) => filledPair(i));
      await engine.fillChunk(P0, rest, rest.at(-1)![0]);
      const other = { ...P0, partition: 1 };
      await engine.create(other);
      const ops = all.map(([key, value]) => ({ kind: 'put' as const, key, value }));
      await engine.append(other, [entry(1, ...ops)]);
      await engine.apply(other, 1);
      const { digest } = engine.digestAt(other);
      expect(await engine.finishFill(P0, { count: count + 100, digest })).toMatchObject({ seq: 7 });
      await engine.close();
    }));

  it('outgrows the address space it began with while a snapshot is open', () =>
    // Plan: begin with 1 MiB of map, hold a snapshot, write 24 MiB; everything is readable and the snapshot is unchanged.
    inDirectory(async (directory) => {
      const engine = new LmdbEngine({ directory, mapBytes: 1024 * 1024 });
      await engine.open();
      await engine.create(P0);
      await engine.append(P0, [entry(1, put('first', 'x'))]);
      await engine.apply(P0, 1);
      const snapshot = await engine.snapshot(P0);
      for (let seq = 2; seq <= 25; seq += 1) {
        await engine.append(P0, [
          entry(seq, { kind: 'put', key: bytes(`k${seq}`), value: Buffer.alloc(1024 * 1024, seq) }),
        ]);
        await engine.apply(P0, seq);
      }
      let seen = 0;
      for await (const { pairs } of snapshot.chunks()) seen += pairs.length;
      snapshot.close();
      expect(seen).toBe(1);
      expect(await engine.recomputeDigest(P0)).toEqual(engine.digestAt(P0));
      await engine.close();
    }));
});

import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { identityOfData } from './identity.js';

describe('identityOfData', () => {
  let dir: string;
  const identity = (node = 'a') => identityOfData(dir, join(dir, 'engine'), node);
  const putData = async () => {
    await mkdir(join(dir, 'engine'), { recursive: true });
    await writeFile(join(dir, 'engine', 'data.mdb'), 'x');
    await mkdir(join(dir, 'map'), { recursive: true });
  };
  beforeEach(async () => void (dir = await mkdtemp(join(tmpdir(), 'cadastre-identity-'))));
  afterEach(() => rm(dir, { recursive: true }));

  // Plan: with its data there, the incarnation stays; another node's name is refused.
  it('keeps the incarnation with the data', async () => {
    const first = await identity();
    await putData();
    const kept = await identity();
    expect(kept).not.toBe('');
    expect(await identity()).toBe(kept);
    expect(first).not.toBe('');
    await expect(identity('b')).rejects.toMatchObject({ code: 'FAILED_PRECONDITION', field: '--data' });
  });

  // Plan: the engine's folder is lost or comes back empty, the rest of the directory is there; nothing vouches for the lost copies.
  it.each(['gone', 'empty'])('is a new one when the engine folder is %s', async (how) => {
    await putData();
    await mkdir(join(dir, 'engine'), { recursive: true });
    const before = await identity();
    await rm(join(dir, 'engine'), { recursive: true });
    if (how === 'empty') await mkdir(join(dir, 'engine'));
    expect(await identity()).not.toBe(before);
    expect(await readdir(dir)).not.toContain('map');
  });
});

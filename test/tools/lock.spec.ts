// Plan: let real processes fight for one lock, and let holders die, because two `npm start` at once must not corrupt anything.
import { afterEach, describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const lockModule = pathToFileURL(join(import.meta.dirname, '../../tools/support/lock.mjs')).href;
const folder = mkdtempSync(join(tmpdir(), 'cadastre-lock-'));
const counter = join(folder, 'counter');
const name = `test-${process.pid}`;
const children: ReturnType<typeof spawn>[] = [];

function start(body: string) {
  const script = `import { withLock } from ${JSON.stringify(lockModule)};
    import { readFileSync, writeFileSync } from 'node:fs';
    const counter = ${JSON.stringify(counter)};
    const take = (work) => withLock(${JSON.stringify(name)}, work);
    ${body}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  return child;
}

const add = `await take(async () => {
  const seen = Number(readFileSync(counter, 'utf8'));
  await new Promise((done) => setTimeout(done, 20));
  writeFileSync(counter, String(seen + 1));
});`;

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

describe('withLock', () => {
  it('lets no two processes in at once', async () => {
    writeFileSync(counter, '0');
    const codes = await Promise.all([1, 2, 3, 4].map(async () => (await once(start(add + add + add), 'exit'))[0]));
    expect(codes).toEqual([0, 0, 0, 0]);
    expect(readFileSync(counter, 'utf8')).toBe('12');
  });

  it('takes over from holders that were killed, again one at a time', async () => {
    writeFileSync(counter, '0');
    const holder = start(
      `await take(() => { console.log('held'); return new Promise(() => setInterval(() => {}, 1000)); });`,
    );
    await once(holder.stdout!, 'data');
    const ends = [1, 2, 3].map(() => once(start(add), 'exit'));
    holder.kill('SIGKILL');
    await Promise.all(ends);
    expect(readFileSync(counter, 'utf8')).toBe('3');
    rmSync(folder, { recursive: true, force: true });
  });
});

import { spawn } from 'node:child_process';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';

const WATCHDOG = join(import.meta.dirname, '../../apps/cli/dist/supervisor/watchdog.js');

/** A supervisor in small: a watchdog, one child that obeys SIGTERM and one that does not. */
const SUPERVISOR = `
import { fork, spawn } from 'node:child_process';
const watchdog = fork(process.argv[2], [], { detached: true, stdio: 'ignore' });
const children = ['', 'process.on("SIGTERM", () => {});'].map((code) => spawn(process.execPath, ['-e', code + 'setInterval(() => {}, 1000); console.log("up")'], { detached: true, stdio: ['ignore', 'pipe', 'ignore'] }));
await Promise.all(children.map((child) => new Promise((resolve) => child.stdout.once('data', resolve))));
for (const child of children) await new Promise((resolve) => watchdog.send({ add: child.pid }, resolve));
console.log(children.map((child) => child.pid).join(' '));
setInterval(() => {}, 1000);
`;

/** A dead process may wait to be reaped for as long as its new parent likes. */
const runs = async (pid: number): Promise<boolean> => {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
};

describe('watchdog', () => {
  it('ends the children of a supervisor that was killed', async () => {
    // Plan: kill -9 the supervisor; soon neither of its children runs, not even the one that ignores SIGTERM.
    const script = join(await mkdtemp(join(tmpdir(), 'cadastre-watchdog-')), 'supervisor.mjs');
    await writeFile(script, SUPERVISOR);
    const supervisor = spawn(process.execPath, [script, WATCHDOG], { stdio: ['ignore', 'pipe', 'inherit'] });
    const line = await new Promise<string>((resolve) =>
      createInterface({ input: supervisor.stdout }).once('line', resolve),
    );
    const pids = line.split(' ').map(Number);
    for (const pid of pids) expect(await runs(pid)).toBe(true);
    supervisor.kill('SIGKILL');
    const end = Date.now() + 40_000;
    while ((await Promise.all(pids.map(runs))).includes(true) && Date.now() < end) await sleep(50);
    for (const pid of pids) expect(await runs(pid)).toBe(false);
  }, 60_000);
});

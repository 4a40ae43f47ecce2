import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { keep } from './paths.mjs';

const pollMs = 200;

/**
 * Runs `work` while holding the lock `.cadastre/locks/NAME`, a file with the holder's pid. Waits while a living
 * process holds it (`onWait(pid)` is called once); a lock left by a dead process is taken over.
 */
export async function withLock(name, work, { onWait = () => {} } = {}) {
  const path = join(keep, 'locks', name);
  const own = `${process.pid} ${bornAt(process.pid)}\n`;
  mkdirSync(dirname(path), { recursive: true });
  let told = false;
  while (!tryTake(path, own)) {
    const holder = readHolder(path);
    if (holder && !isAlive(holder)) {
      discard(path, holder);
      continue;
    }
    if (!told && holder) onWait(holder.pid);
    told ||= holder !== undefined;
    await pause(pollMs);
  }
  const release = () => readHolder(path)?.text === own && rmSync(path, { force: true });
  process.once('exit', release);
  try {
    return await work();
  } finally {
    release();
    process.off('exit', release);
  }
}

// A hard link appears with its content already in it, so no reader ever sees a lock without a pid.
function tryTake(path, text) {
  const own = `${path}.${process.pid}`;
  writeFileSync(own, text);
  try {
    linkSync(own, path);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(own, { force: true });
  }
}

// Two waiters may find the same dead holder. The one that is late may catch the lock which the other has just taken:
// it sees that by its content, and puts it back.
function discard(path, dead) {
  const aside = `${path}.dead.${process.pid}`;
  try {
    renameSync(path, aside);
    if (readHolder(aside)?.text !== dead.text) linkSync(aside, path);
  } catch {
    // Gone already, or taken again in that instant: the next look at the lock decides.
  }
  rmSync(aside, { force: true });
}

function readHolder(path) {
  try {
    const text = readFileSync(path, 'utf8');
    const [pid, born] = text.trim().split(' ');
    return { pid: Number(pid), born: born ?? '', text };
  } catch {
    return undefined;
  }
}

function isAlive({ pid, born }) {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (error.code !== 'EPERM') return false;
  }
  // A pid comes again, soon so in a container that was restarted: the time of birth tells the two apart.
  return born === bornAt(pid);
}

/** When a process began, in clock ticks since boot (field 22 of proc(5) stat); `-` where the system does not tell. */
function bornAt(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '-';
  } catch {
    return '-';
  }
}

import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The path of an executable on PATH, or undefined. */
export function which(name) {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, name);
    if (folder !== '' && isExecutable(path)) return path;
  }
  return undefined;
}

export function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/**
 * Runs a short command and waits. Returns `{ ok, output, code }`; `output` holds stdout and stderr together.
 * Never throws: a missing program is `ok: false` with the reason as output.
 */
export function capture(command, args, options = {}) {
  const done = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 64 << 20, ...options });
  if (done.error) return { ok: false, code: 127, output: done.error.message };
  return { ok: done.status === 0, code: done.status ?? 1, output: `${done.stdout ?? ''}${done.stderr ?? ''}` };
}

/**
 * Runs a command with this terminal's input and output. Resolves to its exit code. SIGINT and SIGTERM sent to
 * this process reach the child, so that Ctrl-C in a script's shell leaves nothing running.
 */
export function show(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: 'inherit', ...options });
    const pass = (signal) => child.kill(signal);
    process.on('SIGINT', pass);
    process.on('SIGTERM', pass);
    child.once('error', reject);
    child.once('close', (code) => {
      process.off('SIGINT', pass);
      process.off('SIGTERM', pass);
      resolve(code ?? 1);
    });
  });
}

/** The last lines of a program's output: what a person needs to see why it failed. */
export function tail(output, lines = 8) {
  return output.trim().split('\n').slice(-lines).join('\n');
}

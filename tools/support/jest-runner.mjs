import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './paths.mjs';

const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js');
const killAfterMs = 5_000;
/** When all results are written, what a test left open keeps jest from ending: it gets this long, not the whole limit. */
const lingerMs = 30_000;

/**
 * Runs one jest project with this terminal's output. Resolves to `{ passed, failed, skipped, notes }`, counted from
 * jest's own results file. A suite that fails to run, a run without results, and one that had to be ended after
 * `limitMs` count as failed, each with a note.
 */
export async function runJest({ project, flags, patterns, limitMs }) {
  const folder = mkdtempSync(join(tmpdir(), 'cadastre-test-'));
  const results = join(folder, 'results.json');
  const node = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
  const args = [
    '--selectProjects',
    project,
    ...flags,
    '--passWithNoTests',
    '--json',
    `--outputFile=${results}`,
    ...patterns,
  ];
  try {
    const end = await runLimited([...node, jest, ...args], limitMs, () => existsSync(results));
    return countResults(readResults(results), { project, ...end });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Turns jest's results (undefined when there are none) and how the run ended into counts. Pure. */
export function countResults(results, { project, code, expired }) {
  const notes = [];
  if (expired) notes.push(`${project}: did not end in its time and was stopped (something is left open)`);
  if (!results)
    return {
      passed: 0,
      failed: 1,
      skipped: 0,
      notes: [...notes, `${project}: jest left no results (exit code ${code})`],
    };
  for (const suite of results.testResults ?? []) {
    if (suite.status === 'failed' && suite.assertionResults.length === 0)
      notes.push(`${project}: failed to run: ${suite.name}`);
  }
  const failures = results.numFailedTests + results.numRuntimeErrorTestSuites;
  const isUnexplained = failures === 0 && (code !== 0 || expired);
  if (isUnexplained && !expired) notes.push(`${project}: jest ended with code ${code} though no test failed`);
  const skipped = results.numPendingTests + results.numTodoTests;
  if (skipped > 0) notes.push(`${project}: ${skipped} skipped`);
  return { passed: results.numPassedTests, failed: failures + (isUnexplained ? 1 : 0), skipped, notes };
}

function readResults(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

// Jest's report goes to stderr; what it prints on stdout beside it (the name of the results file) is of no use to anyone.
export function runLimited(args, limitMs, isDone, { graceMs = lingerMs } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
    let expired = false;
    const stop = (signal) => child.kill(signal);
    const expire = () => {
      expired = true;
      stop('SIGTERM');
      setTimeout(stop, killAfterMs, 'SIGKILL').unref();
    };
    let limit = setTimeout(expire, limitMs);
    const look = setInterval(() => {
      if (!isDone()) return;
      clearInterval(look);
      clearTimeout(limit);
      limit = setTimeout(expire, graceMs);
    }, 500);
    process.on('SIGINT', stop);
    process.on('SIGTERM', stop);
    child.once('error', reject);
    child.once('close', (code) => {
      clearTimeout(limit);
      clearInterval(look);
      process.off('SIGINT', stop);
      process.off('SIGTERM', stop);
      resolve({ code: code ?? 1, expired });
    });
  });
}

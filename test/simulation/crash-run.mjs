import { readFileSync, writeFileSync } from 'node:fs';
import { findCases, RECORDED, runCases } from './crash-cases.mjs';

/**
 * All crash points, for people: prints what is broken. @returns the exit code
 * @param {number} workers
 * @param {boolean} record writes down the counts as they are now
 */
export async function crashPoints(workers, record) {
  const began = Date.now();
  const { counts, cases } = await findCases(workers);
  if (record) writeFileSync(RECORDED, `${JSON.stringify(counts, undefined, 2)}\n`);
  const known = JSON.stringify(JSON.parse(readFileSync(RECORDED, 'utf8'))) === JSON.stringify(counts);
  if (!known) process.stdout.write(`not the recorded counts (--record writes them): ${JSON.stringify(counts)}\n`);
  let bad = 0;
  let done = 0;
  let cpuMs = 0;
  await runCases(cases, workers, (result) => {
    done += 1;
    cpuMs += result.cpuMs;
    if (result.crashed && result.violations.length === 0) return;
    bad += 1;
    const { operation, point, position } = result.crash ?? {};
    process.stdout.write(
      `${operation} ${point} ${position} (${result.call}): ${result.violations.join('; ') || 'no crash'}\n`,
    );
    for (const line of result.trace.slice(-30)) process.stdout.write(`    ${line.slice(0, 200)}\n`);
  });
  const seconds = Math.round((Date.now() - began) / 100) / 10;
  process.stdout.write(
    `${JSON.stringify({ counts, cases: cases.length, done, bad, seconds, cpuSeconds: Math.round(cpuMs / 1000) })}\n`,
  );
  return known && bad === 0 && done === cases.length ? 0 : 1;
}

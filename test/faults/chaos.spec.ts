import { describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

interface Summary {
  readonly operations: number;
  readonly failed: number;
  readonly unknown: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly moves: number;
  readonly violations: number;
  readonly verdict: string;
}

const SEED = 12;
const LIMIT_MS = 280_000;

/** As `npm run chaos` does, without the build. */
const chaos = async (
  ...flags: string[]
): Promise<{ summary: Summary | undefined; code: number | null; said: string }> => {
  const script = fileURLToPath(new URL('../../tools/chaos.mjs', import.meta.url));
  const child = spawn(process.execPath, [script, '--no-build', '--json', ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const timer = setTimeout(() => child.kill('SIGTERM'), LIMIT_MS);
  let out = '';
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(timer);
  const line = out.split('\n').find((text) => text.startsWith('{'));
  return { summary: line === undefined ? undefined : (JSON.parse(line) as Summary), code, said };
};

describe('real processes under faults', () => {
  // Plan: three etcd members, two control planes, six agents and three clients live through some forty seconds of faults and moves; every checker is content.
  it(
    `keeps every promise (seed ${SEED})`,
    async () => {
      const { summary, code, said } = await chaos('--minutes', '0.7', '--seed', String(SEED), '--rate', '300');
      // What broke is in the message, with the folder of the history.
      if (code !== 0) throw new Error(said);
      expect(summary).toMatchObject({ violations: 0, verdict: 'pass' });
      expect(summary!.operations - summary!.failed - summary!.unknown).toBeGreaterThan(1_000);
      expect(Object.values(summary!.faults).reduce((sum, n) => sum + n, 0)).toBeGreaterThanOrEqual(4);
    },
    LIMIT_MS + 20_000,
  );

  // Plan: a flag that is wrong is named, with the usage, and nothing is started.
  it('refuses what it does not know', async () => {
    const { code, said } = await chaos('--scenario', 'none');
    expect(code).toBe(2);
    expect(said).toMatch(/--scenario: "none" is unknown; known: chaos, static-stability, rolling-restart/);
  });
});

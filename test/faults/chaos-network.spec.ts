import { describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { canIsolate, OWN_NAMESPACES } from '../../tools/support/namespaces.mjs';

const script = fileURLToPath(new URL('./support/one-way.mjs', import.meta.url));
const kinds: [string, string[]][] = [
  ['loopback', []],
  ...(canIsolate() ? [['namespaces', OWN_NAMESPACES] as [string, string[]]] : []),
];

describe('the network of chaos runs', () => {
  // Plan: two programs talk over an open connection; cut one direction, then the other; only what goes that way is lost, and comes after the heal.
  it.each(kinds)(
    'cuts one direction at a time (%s)',
    async (kind, prefix) => {
      const [command, ...args] = [...prefix, process.execPath, script, kind];
      const { stdout } = await promisify(execFile)(command!, args, { timeout: 60_000 });
      expect(JSON.parse(stdout)).toEqual({
        before: { word: true, tick: true },
        outCut: { word: false, tick: true },
        inCut: { word: true, tick: false },
        after: { word: true, tick: true },
      });
    },
    90_000,
  );
});

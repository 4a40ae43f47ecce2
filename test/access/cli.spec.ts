import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { run } from '../../apps/cli/src/program.js';
import { FakeIo } from '../../apps/cli/src/testing/fake-io.js';
import { FakeOperations } from '../browser/fake-operations.js';
import type { GuardedServer } from './guarded-server.js';
import { startGuardedServer } from './guarded-server.js';

const BOOTSTRAP = 'b'.repeat(40);
const PASSWORD = 'correct horse battery';

let server: GuardedServer;
let home: string;

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'cadastre-cli-access-'));
  writeFileSync(join(home, 'boot'), `${BOOTSTRAP}\n`, { mode: 0o600 });
  server = await startGuardedServer({ operations: new FakeOperations().fill(), bootstrapToken: BOOTSTRAP });
});
afterEach(async () => {
  await server.stop();
  rmSync(home, { recursive: true, force: true });
});

const cadastre = async (line: string, input = '', env: Record<string, string> = {}) => {
  const io = new FakeIo(home, input, { CADASTRE_HTTP: server.url, CADASTRE_SERVER: server.grpc, HOME: home, ...env });
  return { code: await run(line.split(' '), io), text: io.out + io.err };
};
const asRoot = (line: string, input = '') => cadastre(line, input, { CADASTRE_TOKEN_FILE: join(home, 'boot') });
const refused = { code: 1, text: expect.stringContaining('UNAUTHENTICATED') };

it('signs in and out, adds and removes users by the command line, as the server takes it', async () => {
  // Plan: no answer is made up: what the commands send goes to the real HTTP side. After signing out, and after the user is gone, the
  // token and the password are worth nothing.
  expect(await asRoot('user add eve --role viewer', `${PASSWORD}\n`)).toMatchObject({ code: 0 });
  expect(await asRoot('user add eve --role admin', `${PASSWORD}\n`)).toMatchObject({
    code: 1,
    text: expect.stringContaining('ALREADY_EXISTS'),
  });
  expect(await cadastre('login eve', `${PASSWORD}\n`)).toMatchObject({ code: 0 });
  expect(await cadastre('whoami')).toMatchObject({ code: 0, text: expect.stringContaining('local:eve') });
  expect(await cadastre('logout')).toMatchObject({ code: 0 });
  expect(await cadastre('whoami')).not.toMatchObject({ text: expect.stringContaining('local:eve') });
  expect(await asRoot('user remove eve')).toMatchObject({ code: 0 });
  expect((await asRoot('user list')).text).not.toContain('eve');
  expect(await cadastre('login eve', `${PASSWORD}\n`)).toMatchObject(refused);
});

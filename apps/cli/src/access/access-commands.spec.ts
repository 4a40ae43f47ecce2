import { chmodSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, Server } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { run } from '../program.js';
import { FakeIo } from '../testing/fake-io.js';

interface Asked {
  readonly line: string;
  readonly authorization: string | undefined;
  readonly body: Record<string, unknown>;
}

const bodyOf = async (request: IncomingMessage): Promise<Record<string, unknown>> => {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
};

const SESSION = {
  access: 'required',
  user: { subject: 'local:ann', name: 'ann', source: 'local', roles: ['admin'] },
};

describe('signing in', () => {
  let server: Server;
  let url: string;
  let folder: string;
  let asked: Asked[];

  beforeEach(async () => {
    asked = [];
    folder = mkdtempSync(join(tmpdir(), 'cadastre-login-'));
    server = createServer(async (request, response) => {
      const body = await bodyOf(request);
      const line = `${request.method} ${request.url}`;
      asked.push({ line, authorization: request.headers.authorization, body });
      const refused = body['password'] === 'wrong';
      // As the real one: a change of another type may come from a page of another site.
      const isForeign = request.method !== 'GET' && request.headers['content-type'] !== 'application/json';
      response.statusCode = isForeign ? 415 : refused ? 401 : 200;
      response.setHeader('content-type', 'application/json');
      const problem = { code: 'UNAUTHENTICATED', detail: 'name or password is wrong', remedy: 'try again' };
      const user = { name: 'bob', roles: ['viewer'], disabled: false, changedMs: 1 };
      const json = line.includes('/users') ? (line.startsWith('GET') ? { users: [user] } : user) : SESSION;
      response.end(JSON.stringify(refused ? problem : line.includes('/token') ? { token: 'tok-1', ...json } : json));
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(() => void server.close());

  const cadastre = async (line: string, input = '', env: Record<string, string> = {}) => {
    const io = new FakeIo(folder, input, { CADASTRE_HTTP: url, CADASTRE_SERVER: '127.0.0.1:1', HOME: folder, ...env });
    return Object.assign(io, { code: await run(line.split(' '), io) });
  };

  // Plan: the password comes by standard input and goes nowhere else; the token lies in a file that nobody else reads, is sent from then
  // on, and is gone after signing out.
  it('keeps a token for this user alone', async () => {
    const path = join(folder, '.config', 'cadastre', 'token');
    const login = await cadastre('login ann', 'hunter2hunter2\n');
    expect(login.code).toBe(0);
    expect(login.out + login.err).not.toContain('hunter2');
    expect(asked[0]).toMatchObject({ line: 'POST /api/v1/token', body: { name: 'ann', password: 'hunter2hunter2' } });
    expect(readFileSync(path, 'utf8')).toBe('tok-1\n');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect((await cadastre('whoami')).out).toContain('ann (local:ann)');
    expect(asked[1]).toMatchObject({ authorization: 'Bearer tok-1' });
    expect((await cadastre('logout')).code).toBe(0);
    expect(() => statSync(path)).toThrow();
  });

  // Plan: users are added with a password from standard input, set and removed, all with the token; one who is there is not added again.
  it('manages users', async () => {
    const tokenFile = join(folder, 'root-token');
    writeFileSync(tokenFile, 'boot\n', { mode: 0o600 });
    const env = { CADASTRE_TOKEN_FILE: tokenFile };
    expect((await cadastre('user add eve --role viewer --role operator:orders', 'a good password\n', env)).code).toBe(
      0,
    );
    expect((await cadastre('user set bob --disable', '', env)).code).toBe(0);
    expect((await cadastre('user remove bob', '', env)).code).toBe(0);
    expect((await cadastre('user list', '', env)).out).toContain('bob');
    expect((await cadastre('user add bob --role viewer', 'a good password\n', env)).err).toContain('ALREADY_EXISTS');
    expect(asked.map((a) => a.line)).toEqual([
      'GET /api/v1/users',
      'PUT /api/v1/users/eve',
      'PUT /api/v1/users/bob',
      'DELETE /api/v1/users/bob',
      'GET /api/v1/users',
      'GET /api/v1/users',
    ]);
    expect(asked[1]!.body).toEqual({ roles: ['viewer', 'operator:orders'], password: 'a good password', reason: '' });
    expect(asked[2]!.body).toEqual({ disabled: true, reason: '' });
    expect(asked.every((a) => a.authorization === 'Bearer boot')).toBe(true);
  });

  // Plan: what is wrong, by table: nothing is sent that should not be, and the error names what to do.
  it.each([
    ['a wrong password', 'login ann', 'wrong\n', {}, 'UNAUTHENTICATED'],
    ['no password', 'login ann', '', {}, 'INVALID_ARGUMENT: password'],
    ['a token that is named and missing', 'whoami --token-file nowhere', '', {}, 'FAILED_PRECONDITION: nowhere'],
    ['a user without roles', 'user add bob', 'long enough\n', {}, '--role'],
    ['a role that is none', 'user add bob --role root', 'long enough\n', {}, 'INVALID_ARGUMENT: role'],
    ['nothing to change', 'user set bob', '', {}, 'INVALID_ARGUMENT: user'],
    ['a password over plain http', 'login ann', 'secret\n', { CADASTRE_HTTP: 'http://10.0.0.1:80' }, 'in the clear'],
    ['nobody there', 'whoami', '', { CADASTRE_HTTP: 'http://127.0.0.1:1' }, 'UNAVAILABLE'],
    ['a shell that is unknown', 'completion fish', '', {}, 'INVALID_ARGUMENT: shell'],
  ])('refuses %s', async (_story, line, input, env, expected) => {
    const done = await cadastre(line, input, env);
    expect([done.code, done.err]).toEqual([1, expect.stringContaining(expected)]);
  });

  it('does not use a token that others can read', async () => {
    // Plan: a token file with mode 644 is refused before anything is sent.
    const tokenFile = join(folder, 'loose');
    writeFileSync(tokenFile, 'boot\n');
    chmodSync(tokenFile, 0o644);
    const done = await cadastre('whoami', '', { CADASTRE_TOKEN_FILE: tokenFile });
    expect(done.err).toContain('others can read it');
    expect(asked).toEqual([]);
  });

  it.each(['bash', 'zsh'])('completes in %s', async (shell) => {
    // Plan: the script knows nested commands and their flags.
    const { out } = await cadastre(`completion ${shell}`);
    expect(out).toContain("'plan wait') words='--for --timeout --help'");
    expect(out).toContain('complete -F _cadastre cadastre kubectl-cadastre');
    expect(out.includes('bashcompinit')).toBe(shell === 'zsh');
  });
});

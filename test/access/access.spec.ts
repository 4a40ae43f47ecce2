import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { gzipSync } from 'node:zlib';
import { parseGrant } from '@cadastre/core';
import { systemClock } from '@cadastre/runtime';
import { MemoryDatabase } from '@cadastre/store';
import { listAudit } from '../../apps/control-plane/src/operations/audit-log.js';
import { FakeOperations } from '../browser/fake-operations.js';
import type { GuardedServer } from './guarded-server.js';
import { startGuardedServer } from './guarded-server.js';
import { IdentityProvider } from './identity-provider.js';

const PASSWORD = 'correct horse battery';
const DIGEST = 'a'.repeat(64);
const BOOTSTRAP = 'b'.repeat(40);

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
const stranger = { key: privateKey, jwk: publicKey.export({ format: 'jwk' }) };

let operations: FakeOperations;
let server: GuardedServer;
let provider: IdentityProvider;
let database: MemoryDatabase;
let ahead = 0;
let stoppedAt: { readonly wallMs: number; readonly monotonicMs: number } | undefined;
/** Time that a test can move, and stop where it counts on a wait that is not over. */
const clock = {
  ...systemClock,
  wallMs: () => (stoppedAt?.wallMs ?? Date.now()) + ahead,
  monotonicMs: () => (stoppedAt?.monotonicMs ?? performance.now()) + ahead,
};
const stopClock = (): void => {
  stoppedAt = { wallMs: Date.now(), monotonicMs: performance.now() };
};

const config = () => ({
  proveAgainMinutes: 5,
  oidc: {
    issuer: provider.issuer,
    clientId: provider.clientId,
    redirectUri: 'http://127.0.0.1:7480/auth/oidc/callback',
    roles: { dba: ['approver'], dev: ['viewer'] },
  },
  jwt: {
    issuer: provider.issuer,
    audience: 'cadastre',
    jwks: `${provider.issuer}/jwks`,
    roles: { ci: ['operator'], robot: ['approver'] },
  },
});

const start = () => startGuardedServer({ operations, config: config(), database, clock, bootstrapToken: BOOTSTRAP });

beforeEach(async () => {
  ahead = 0;
  stoppedAt = undefined;
  operations = new FakeOperations().fill();
  operations.propose();
  provider = await new IdentityProvider('cadastre-page').start();
  database = new MemoryDatabase(clock);
  server = await start();
  for (const [name, role] of [
    ['vera', 'viewer'],
    ['otto', 'operator'],
    ['anna', 'approver'],
    ['ada', 'admin'],
    ['lim', 'approver:orders'],
  ] as const)
    await server.access.putUser({ name, grants: [parseGrant(role)], password: PASSWORD }, 'test', '');
});
afterEach(async () => {
  await server.stop();
  await provider.stop();
});

interface Browser {
  cookie: string;
  csrf: string;
}
type Body = Record<string, never> & {
  code?: string;
  field?: string;
  token?: string;
  user?: { subject: string } | null;
};

const call = async (
  method: string,
  path: string,
  options: { body?: unknown; headers?: Record<string, string> } = {},
) => {
  const reply = await fetch(server.url + path, {
    method,
    redirect: 'manual',
    headers: { ...(method !== 'GET' && { 'content-type': 'application/json' }), ...options.headers },
    ...(options.body !== undefined && { body: JSON.stringify(options.body) }),
  });
  const text = await reply.text();
  return { reply, status: reply.status, body: (text.startsWith('{') ? JSON.parse(text) : {}) as Body };
};

const cookieIn = (reply: Response): string =>
  reply.headers.getSetCookie().find((c) => c.startsWith('__Host-cadastre='))!;

const signIn = async (name: string, password = PASSWORD): Promise<Browser> => {
  const { reply, body } = await call('POST', '/api/v1/session', { body: { name, password } });
  return { cookie: cookieIn(reply).split(';')[0]!, csrf: String(body['csrf']) };
};
const as = ({ cookie, csrf }: Browser) => ({ cookie, 'x-cadastre-csrf': csrf });
const approve = (browser: Browser) =>
  call('POST', '/api/v1/plans/latest/approve', {
    body: { digest: operations.plan!.digest },
    headers: as(browser),
  });

describe('signing in', () => {
  // Plan: without a session nothing can be read or done; the page's own question says so without an error.
  it('is asked of everybody', async () => {
    expect((await call('GET', '/api/v1/status')).body).toMatchObject({ code: 'UNAUTHENTICATED', status: 401 });
    expect((await call('POST', '/api/v1/plans', { body: { actor: 'me' } })).status).toBe(401);
    expect((await call('GET', '/api/v1/events')).status).toBe(401);
    expect((await call('GET', '/api/v1/session')).body).toMatchObject({ access: 'required', user: null });
  });

  // Plan: the cookie cannot be read by scripts, sent in the clear or from other sites; what is done bears the subject.
  it('gives a cookie that only this host gets, and acts in the name of who signed in', async () => {
    const { reply } = await call('POST', '/api/v1/session', { body: { name: 'otto', password: PASSWORD } });
    const cookie = cookieIn(reply);
    for (const part of ['Path=/', 'Secure', 'HttpOnly', 'SameSite=Strict']) expect(cookie).toContain(part);
    const otto = await signIn('otto');
    expect((await call('POST', '/api/v1/plans', { body: {}, headers: as(otto) })).status).toBe(200);
    expect(operations.acts.at(-1)).toMatchObject({ actor: 'local:otto' });
    const pretending = await call('POST', '/api/v1/plans', { body: { actor: 'anna' }, headers: as(otto) });
    expect([pretending.status, pretending.body.field]).toEqual([403, 'actor']);
  });

  // Plan: a wrong password and a user that does not exist look the same; after five failures both wait, others do not.
  it('slows guessing down', async () => {
    stopClock();
    const tries = async (name: string) =>
      (await call('POST', '/api/v1/session', { body: { name, password: 'wrong' } })).body;
    const [known, unknown] = [await tries('vera'), await tries('nobody')];
    expect(known).toEqual(unknown);
    for (let i = 0; i < 4; i += 1) await tries('vera');
    const right = await call('POST', '/api/v1/session', { body: { name: 'vera', password: PASSWORD } });
    expect([right.status, right.body.code]).toEqual([429, 'RESOURCE_EXHAUSTED']);
    expect((await signIn('otto')).csrf).not.toBe('');
    ahead += 2_000;
    expect((await signIn('vera')).csrf).not.toBe('');
  });

  // Plan: behind a trusted proxy two people are two places: guessing at one does not make the other wait; a made-up header changes nothing.
  it('tells places apart as a trusted proxy names them', async () => {
    stopClock();
    const tryFrom = (from: string, password: string) =>
      call('POST', '/api/v1/session', { body: { name: 'vera', password }, headers: { 'x-forwarded-for': from } });
    await server.stop();
    server = await startGuardedServer({ operations, database, clock, trustedProxies: ['127.0.0.1'] });
    expect((await tryFrom('192.0.2.1', PASSWORD)).status).toBe(200);
    for (let i = 0; i < 6; i += 1) await tryFrom(`203.0.113.${i}, 198.51.100.9`, 'wrong');
    expect((await tryFrom('198.51.100.9', PASSWORD)).status).toBe(429);
    expect((await tryFrom('192.0.2.1', PASSWORD)).status).toBe(200);
  });

  // Plan: wrong proofs of one session make that session wait, longer and longer; the same person at another session does not.
  it('counts wrong proofs by session', async () => {
    stopClock();
    const [stolen, own] = [await signIn('anna'), await signIn('anna')];
    const prove = (browser: Browser, password: string) =>
      call('POST', '/api/v1/session/proof', { body: { password }, headers: as(browser) });
    for (let i = 0; i < 5; i += 1) expect((await prove(stolen, 'wrong')).status).toBe(401);
    expect((await prove(stolen, PASSWORD)).body).toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
    expect((await prove(own, PASSWORD)).status).toBe(200);
    expect((await signIn('anna')).csrf).not.toBe('');
  });

  // Plan: signing out, a new password, a role that is taken away and time each end a session; the old cookie is worth nothing.
  it.each<[string, (browser: Browser) => Promise<unknown>]>([
    ['signing out', (browser) => call('DELETE', '/api/v1/session', { headers: as(browser) })],
    ['a new password', () => server.access.putUser({ name: 'otto', password: `${PASSWORD}!` }, 'test', '')],
    ['another role', () => server.access.putUser({ name: 'otto', grants: [parseGrant('viewer')] }, 'test', '')],
    ['being disabled', () => server.access.putUser({ name: 'otto', disabled: true }, 'test', '')],
    ['being removed', () => server.access.removeUser('otto', 'test', '')],
    ['nine hours', () => Promise.resolve((ahead += 9 * 3_600_000))],
  ])('ends with %s', async (_what, end) => {
    const otto = await signIn('otto');
    expect((await call('GET', '/api/v1/status', { headers: as(otto) })).status).toBe(200);
    await end(otto);
    expect((await call('GET', '/api/v1/status', { headers: as(otto) })).status).toBe(401);
  });

  // Plan: a second replica over the same register knows the session; the first can go.
  it('holds at every replica', async () => {
    const otto = await signIn('otto');
    const other = await start();
    const reply = await fetch(`${other.url}/api/v1/status`, { headers: as(otto) });
    await other.stop();
    expect(reply.status).toBe(200);
  });

  // Plan: the register keeps no password and no token.
  it('leaves no secret in the register', async () => {
    const otto = await signIn('otto');
    const kept = JSON.stringify(
      database.range('').kvs.map(({ key, value }) => key + Buffer.from(value).toString('latin1')),
    );
    expect(kept).toContain('otto');
    expect(kept).not.toContain(PASSWORD);
    expect(kept).not.toContain(otto.cookie.split('=')[1]);
  });
});

describe('what each role may do', () => {
  // Plan: every role against every kind of act.
  it.each<[string, string, string, unknown, number]>([
    ['vera', 'GET', '/api/v1/plans', undefined, 200],
    ['vera', 'POST', '/api/v1/plans', {}, 403],
    ['vera', 'POST', '/api/v1/plans/latest/approve', { digest: DIGEST }, 403],
    ['vera', 'POST', '/api/v1/nodes/n1/drain', {}, 403],
    ['vera', 'GET', '/api/v1/users', undefined, 403],
    ['otto', 'POST', '/api/v1/plans', {}, 200],
    ['otto', 'POST', '/api/v1/plans/latest/approve', { digest: DIGEST }, 403],
    ['otto', 'POST', '/api/v1/nodes/n1/drain', {}, 200],
    ['anna', 'POST', '/api/v1/plans', {}, 403],
    ['anna', 'POST', '/api/v1/plans/latest/pause', {}, 200],
    ['anna', 'POST', '/api/v1/plans/latest/cancel', {}, 200],
    ['anna', 'POST', '/api/v1/plans/cancel-all', {}, 200],
    ['anna', 'POST', '/api/v1/freeze', { reason: 'wait' }, 200],
    ['anna', 'POST', '/api/v1/plans/latest/resume', {}, 403],
    ['anna', 'POST', '/api/v1/unfreeze', { reason: 'go', by: 'person' }, 403],
    ['anna', 'POST', '/api/v1/nodes/n1/drain', {}, 403],
    ['anna', 'POST', '/api/v1/settings', { nodeBytesPerSecond: 0 }, 403],
    ['otto', 'POST', '/api/v1/plans/latest/pause', {}, 200],
    ['otto', 'POST', '/api/v1/plans/latest/resume', {}, 200],
    ['otto', 'POST', '/api/v1/freeze', { reason: 'wait' }, 200],
    ['otto', 'POST', '/api/v1/unfreeze', { reason: 'go', by: 'person' }, 200],
    ['otto', 'POST', '/api/v1/unfreeze', { reason: 'go', by: 'automation' }, 403],
    ['otto', 'POST', '/api/v1/settings', { nodeBytesPerSecond: 0 }, 200],
    ['otto', 'POST', '/api/v1/settings', { repair: 'auto' }, 403],
    ['lim', 'POST', '/api/v1/plans/latest/approve', { digest: DIGEST }, 403],
    ['anna', 'POST', '/api/v1/plans/latest/approve', { digest: DIGEST, breakGlass: true, reason: 'now' }, 403],
    ['ada', 'GET', '/api/v1/users', undefined, 200],
    ['ada', 'PUT', '/api/v1/users/neo', { roles: ['viewer'], password: PASSWORD }, 200],
    ['otto', 'PUT', '/api/v1/users/neo', { roles: ['admin'], password: PASSWORD }, 403],
  ])('%s: %s %s', async (name, method, path, body, status) => {
    const reply = await call(method, path, { body, headers: as(await signIn(name)) });
    expect([reply.status, reply.body.field]).toEqual([status, status === 403 ? 'role' : undefined]);
  });

  // Plan: an approval asks for a proof younger than five minutes; the password gives it.
  it('asks for a fresh proof before an approval', async () => {
    const anna = await signIn('anna');
    ahead += 6 * 60_000;
    expect((await approve(anna)).body).toMatchObject({ code: 'UNAUTHENTICATED', field: 'proof' });
    const prove = (password: string) =>
      call('POST', '/api/v1/session/proof', { body: { password }, headers: as(anna) });
    expect((await prove('wrong password')).status).toBe(401);
    expect((await approve(anna)).body.field).toBe('proof');
    expect((await prove(PASSWORD)).status).toBe(200);
    expect((await approve(anna)).body.field).not.toBe('proof');
  });
});

describe('acts of weight', () => {
  // Plan: an administrator whose proof is old; each act that ends data, lets it move unasked or changes the rules asks for a new one.
  it.each<[string, string, unknown]>([
    ['POST', '/api/v1/keyspaces/orders/drop', { confirm: 'orders', reason: 'gone' }],
    ['POST', '/api/v1/unfreeze', { by: 'automation', reason: 'lost' }],
    ['POST', '/api/v1/settings', { repair: 'auto' }],
    ['POST', '/api/v1/approval-policy', { policy: {} }],
    ['POST', '/api/v1/plans/latest/approve', { digest: DIGEST, breakGlass: true, reason: 'now' }],
  ])('ask for a fresh proof: %s %s %j', async (method, path, body) => {
    const ada = await signIn('ada');
    ahead += 6 * 60_000;
    expect((await call(method, path, { body, headers: as(ada) })).body).toMatchObject({ field: 'proof', status: 401 });
    await call('POST', '/api/v1/session/proof', { body: { password: PASSWORD }, headers: as(ada) });
    expect((await call(method, path, { body, headers: as(ada) })).body.field).not.toBe('proof');
  });

  // Plan: what only stops, or goes slower, asks for none: there is no time for it.
  it.each<[string, unknown]>([
    ['/api/v1/freeze', { reason: 'wait' }],
    ['/api/v1/plans/latest/pause', {}],
    ['/api/v1/plans/cancel-all', {}],
    ['/api/v1/settings', { nodeBytesPerSecond: 0 }],
  ])('are not those that stop: %s', async (path, body) => {
    const otto = await signIn('otto');
    ahead += 6 * 60_000;
    expect((await call('POST', path, { body, headers: as(otto) })).status).toBe(200);
  });
});

describe('users', () => {
  const userAudit = async () => {
    const { entries } = await listAudit(server.store, server.register.state, {
      before: 0,
      limit: 100,
      subject: 'user/neo',
      actor: '',
    });
    return (entries ?? []).map(({ actor, verb, before, after, reason }) => ({ actor, verb, before, after, reason }));
  };

  // Plan: an administrator whose proof is old makes, changes and removes nobody; the password gives the proof, and all three are done.
  it.each<[string, string, unknown]>([
    ['PUT', '/api/v1/users/otto', { roles: ['admin'] }],
    ['PUT', '/api/v1/users/otto', { password: `${PASSWORD}!` }],
    ['PUT', '/api/v1/users/new', { roles: ['admin'], password: PASSWORD }],
    ['DELETE', '/api/v1/users/otto', undefined],
  ])('are changed only with a fresh proof: %s %s %j', async (method, path, body) => {
    const ada = await signIn('ada');
    const act = () => call(method, path, { body, headers: as(ada) });
    const before = server.access.listUsers();
    ahead += 6 * 60_000;
    expect((await act()).body).toMatchObject({ code: 'UNAUTHENTICATED', field: 'proof' });
    expect(server.access.listUsers()).toEqual(before);
    await call('POST', '/api/v1/session/proof', { body: { password: PASSWORD }, headers: as(ada) });
    expect((await act()).status).toBe(200);
  });

  // Plan: who once could approve: still can, has lost the role, the keyspace, the right to sign in, or is gone; of a provider's people nothing is known.
  it('may still do what they did as long as they have the role', async () => {
    const { access } = server;
    const may = (name: string) => access.mayStill(`local:${name}`, 'approve', ['orders', 'users']);
    expect(['anna', 'lim', 'otto', 'nobody'].map(may)).toEqual([true, false, false, false]);
    await access.putUser({ name: 'anna', disabled: true }, 'test', '');
    expect(may('anna')).toBe(false);
    await access.putUser({ name: 'ada', grants: [parseGrant('approver:orders')] }, 'test', '');
    expect(may('ada')).toBe(false);
    expect(access.mayStill(`oidc:${provider.issuer}#u1`, 'approve', ['orders'])).toBe(true);
  });

  // Plan: each change leaves what was and what is, that a password was set, and nothing of the password itself.
  it('leave what was changed in the audit log', async () => {
    const headers = as(await signIn('ada'));
    const put = (body: object) => call('PUT', '/api/v1/users/neo', { body, headers });
    await put({ roles: ['viewer', 'operator:orders'], password: PASSWORD, reason: 'joins' });
    await put({ roles: ['admin'] });
    await put({ disabled: true });
    await put({ password: `${PASSWORD}!` });
    await call('DELETE', '/api/v1/users/neo', { headers });
    const by = { actor: 'local:ada', reason: '' };
    expect(await userAudit()).toEqual([
      { ...by, verb: 'user-remove', before: 'admin, disabled', after: 'removed' },
      { ...by, verb: 'user', before: 'admin, disabled', after: 'admin, disabled, password changed' },
      { ...by, verb: 'user', before: 'admin', after: 'admin, disabled' },
      { ...by, verb: 'user', before: 'viewer, operator:orders', after: 'admin' },
      { ...by, reason: 'joins', verb: 'user', before: '', after: 'viewer, operator:orders, password changed' },
    ]);
  });
});

describe('requests from elsewhere', () => {
  // Plan: a cookie alone changes nothing: not without the token, not with a wrong one, not from another origin.
  it.each<[string, (browser: Browser) => Record<string, string>]>([
    ['without the token', ({ cookie }) => ({ cookie })],
    ['with another token', ({ cookie }) => ({ cookie, 'x-cadastre-csrf': 'f'.repeat(32) })],
    ['from another origin', (browser) => ({ ...as(browser), origin: 'https://evil.example' })],
    ['from an opaque origin', (browser) => ({ ...as(browser), origin: 'null' })],
  ])('are refused %s', async (_what, headersOf) => {
    const headers = headersOf(await signIn('otto'));
    expect((await call('POST', '/api/v1/plans', { body: {}, headers })).status).toBe(403);
    expect(operations.acts).toEqual([]);
  });
});

describe('hostile requests', () => {
  /** fetch would not send these. */
  const raw = (headers: Record<string, string>, body: Buffer | string = '', path = '/api/v1/plans'): Promise<number> =>
    new Promise((resolve, reject) => {
      const sent = httpRequest(server.url + path, { method: 'POST', headers }, (reply) => {
        reply.resume();
        resolve(reply.statusCode!);
        sent.destroy();
      });
      sent.on('error', reject);
      sent.write(body);
    });
  const json = { 'content-type': 'application/json' };

  // Plan: too much in every way, by somebody who is signed in; each is refused with its status, nothing is done, and the server goes on.
  it.each<[string, number, () => [Record<string, string>, Buffer | string]]>([
    ['one field stands twice', 400, () => [json, '{"reason":"a","reason":"b"}']],
    ['a gigabyte is announced', 413, () => [{ ...json, 'content-length': String(2 ** 30) }, '{']],
    [
      '2 MiB that come as 2 KiB',
      413,
      () => [{ ...json, 'content-encoding': 'gzip' }, gzipSync(Buffer.alloc(2 ** 21, ' '))],
    ],
    ['an encoding that nobody knows', 415, () => [{ ...json, 'content-encoding': 'x-bomb' }, '{}']],
    ['100,000 levels', 400, () => [json, '['.repeat(100_000) + ']'.repeat(100_000)]],
    [
      'levels in a field',
      400,
      () => {
        return [json, `{"reason":${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}}`];
      },
    ],
    ['a prototype', 400, () => [json, '{"__proto__":{"actor":"local:anna"}}']],
    [
      '10,000 headers',
      431,
      () => [{ ...json, ...Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`x-${i}`, 'y'])) }, ''],
    ],
  ])('%s', async (_what, status, build) => {
    const [headers, body] = build();
    const length = Buffer.byteLength(body);
    const otto = as(await signIn('otto'));
    expect(await raw({ 'content-length': String(length), ...otto, ...headers }, body)).toBe(status);
    expect(operations.acts).toEqual([]);
    expect((await call('GET', '/api/v1/status', { headers: otto })).status).toBe(200);
  });

  // Plan: what changes something by POST does nothing by GET, HEAD or OPTIONS, with all that a browser would send along.
  it.each([
    '/api/v1/plans/latest/approve',
    '/api/v1/plans/latest/cancel',
    '/api/v1/plans/cancel-all',
    '/api/v1/freeze',
  ])('nothing is done by looking at %s', async (path) => {
    const headers = as(await signIn('ada'));
    for (const method of ['GET', 'HEAD', 'OPTIONS']) {
      const { status } = await call(method, path, { headers });
      expect(status).toBeGreaterThanOrEqual(400);
    }
    expect(operations.acts).toEqual([]);
  });

  // Plan: page, answers and refusals alike forbid frames, scripts of others and of the page's own text, and guessing at types.
  it.each(['/', '/api/v1/session', '/api/v1/status', '/nowhere'])(
    '%s cannot be framed or run elsewhere',
    async (path) => {
      const { reply } = await call('GET', path);
      const policy = reply.headers.get('content-security-policy')!.split('; ');
      expect(policy).toEqual(
        expect.arrayContaining([
          "default-src 'none'",
          "script-src 'self'",
          "frame-ancestors 'none'",
          "require-trusted-types-for 'script'",
        ]),
      );
      expect(policy.join()).not.toMatch(/unsafe|\*|data:|https?:/);
      expect(reply.headers.get('x-content-type-options')).toBe('nosniff');
      expect(reply.headers.get('access-control-allow-origin')).toBeNull();
    },
  );
});

describe('programs', () => {
  const bearer = (token: string) => call('GET', '/api/v1/status', { headers: { authorization: `Bearer ${token}` } });
  const claims = () => ({ iss: provider.issuer, aud: 'cadastre', sub: 'ci-1', roles: ['ci'] });

  // Plan: a token of the issuer gives the mapped role, no more.
  it('come with a signed token', async () => {
    const token = await provider.token(claims());
    expect((await bearer(token)).status).toBe(200);
    const headers = { authorization: `Bearer ${token}` };
    expect((await call('POST', '/api/v1/plans', { body: {}, headers })).status).toBe(200);
    expect(operations.acts.at(-1)).toMatchObject({ actor: `jwt:${provider.issuer}#ci-1` });
    expect((await call('POST', '/api/v1/plans/latest/approve', { body: { digest: DIGEST }, headers })).status).toBe(
      403,
    );
  });

  // Plan: a token proves its holder when it was issued, or when the person signed in for it; later it is too old to approve with.
  it.each<[string, object, number]>([
    ['issued now', {}, 200],
    ['issued an hour ago', { iat: -3_600 }, 401],
    ['issued now to who signed in an hour ago', { auth_time: -3_600 }, 401],
    ['of who signed in now', { iat: -3_600, auth_time: 0 }, 200],
  ])('prove who they are with a token %s', async (_what, times, status) => {
    const now = Math.floor(Date.now() / 1000);
    const at = Object.fromEntries(Object.entries(times).map(([name, s]) => [name, now + Number(s)]));
    const headers = { authorization: `Bearer ${await provider.token({ ...claims(), roles: ['robot'], ...at })}` };
    const body = { digest: operations.plan!.digest };
    const reply = await call('POST', '/api/v1/plans/latest/approve', { body, headers });
    expect([reply.status, reply.body.field]).toEqual([status, status === 401 ? 'proof' : undefined]);
  });

  // Plan: a subject that would look like another once it is written down is nobody's.
  it.each(['ci-1\n', ' ci-1', `${'x'.repeat(2_000)}`, 'ci\u202e1'])('are refused with the subject %j', async (sub) => {
    expect((await bearer(await provider.token({ ...claims(), sub }))).status).toBe(401);
  });

  const unsigned = (header: object, body: object) =>
    `${[header, body].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')}.`;
  const soon = () => Math.floor(Date.now() / 1000) + 100;

  /** Signed by somebody else than the issuer. */
  const forged = async (header: object, alg = 'RS256'): Promise<string> => {
    const signing = [
      { alg, ...header },
      { ...claims(), exp: soon(), iat: soon() - 100 },
    ]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.');
    return `${signing}.${sign('sha256', Buffer.from(signing), stranger.key).toString('base64url')}`;
  };

  // Plan: RFC 8725's list: each token is wrong in one way, and refused with the same words.
  it.each<[string, () => Promise<string> | string]>([
    ['no signature', () => unsigned({ alg: 'none' }, { ...claims(), exp: soon(), iat: 1 })],
    [
      'the public key as a shared secret',
      () => {
        const text = unsigned({ alg: 'HS256', kid: 'k1' }, { ...claims(), exp: soon(), iat: 1 }).slice(0, -1);
        return `${text}.${createHmac('sha256', JSON.stringify(provider.keys.keys[0])).update(text).digest('base64url')}`;
      },
    ],
    ['another issuer', () => provider.token({ ...claims(), iss: 'https://other.example' })],
    ['another audience', () => provider.token({ ...claims(), aud: 'somebody' })],
    ['no subject', () => provider.token({ ...claims(), sub: undefined })],
    ['an end in the past', () => provider.token(claims(), -120)],
    ['a beginning in the future', () => provider.token({ ...claims(), nbf: soon() + 1_000 })],
    [
      'a changed body',
      async () =>
        (await provider.token(claims())).replace(/\.[^.]+\./, `.${Buffer.from('{"sub":"x"}').toString('base64url')}.`),
    ],
    ['a key of its own in its header', () => forged({ jwk: stranger.jwk })],
    ['a place of keys in its header', () => forged({ jku: 'http://127.0.0.1:9/jwks', kid: 'k1' })],
    ['a certificate in its header', () => forged({ x5u: 'http://127.0.0.1:9/cert', kid: 'k1' })],
    ['a key that the issuer does not have', () => forged({ kid: 'k2' })],
    ['a kid that is a path', () => forged({ kid: '../../../../dev/null' })],
    ['an algorithm that is not allowed', () => forged({ kid: 'k1' }, 'PS512')],
    ['an extension that has to be understood', () => forged({ kid: 'k1', crit: ['b64'], b64: false })],
    ['no token at all', () => 'x.y.z'],
    ['far too much', () => 'a'.repeat(9_000)],
  ])('are refused with %s', async (_what, token) =>
    expect((await bearer(await token())).body).toMatchObject({ code: 'UNAUTHENTICATED', field: 'authorization' }),
  );

  // Plan: a command line signs in for a token of its own, which signing out ends; the bootstrap token makes the first user.
  it('sign in without cookies, and the first one by the bootstrap token', async () => {
    const { body } = await call('POST', '/api/v1/token', { body: { name: 'otto', password: PASSWORD } });
    const headers = { authorization: `Bearer ${body.token}` };
    expect((await call('POST', '/api/v1/plans', { body: {}, headers })).status).toBe(200);
    await call('DELETE', '/api/v1/session', { headers });
    expect((await bearer(String(body.token))).status).toBe(401);
    const first = { body: { roles: ['admin'], password: PASSWORD }, headers: { authorization: `Bearer ${BOOTSTRAP}` } };
    expect((await call('PUT', '/api/v1/users/first', first)).status).toBe(200);
    expect((await signIn('first')).csrf).not.toBe('');
  });
});

describe('an identity provider', () => {
  const journey = async (how = '') => {
    const begun = await call('GET', `/auth/oidc/login${how}`);
    const cookie = begun.reply.headers.getSetCookie()[0]!.split(';')[0]!;
    const atProvider = await fetch(begun.reply.headers.get('location')!, { redirect: 'manual' });
    return { cookie, back: new URL(atProvider.headers.get('location')!) };
  };
  const finish = (back: URL, cookie: string) => call('GET', back.pathname + back.search, { headers: { cookie } });

  const signInThere = async (how = ''): Promise<Browser> => {
    const { cookie, back } = await journey(how);
    const session = cookieIn((await finish(back, cookie)).reply).split(';')[0]!;
    const { body } = await call('GET', '/api/v1/session', { headers: { cookie: session } });
    return { cookie: session, csrf: String(body['csrf']) };
  };

  // Plan: there and back gives a session with the roles that the provider's words stand for.
  it('vouches for people', async () => {
    const { cookie, back } = await journey();
    const { reply, status } = await finish(back, cookie);
    expect([status, reply.headers.get('location')]).toEqual([303, '/']);
    const session = await call('GET', '/api/v1/session', { headers: { cookie: cookieIn(reply).split(';')[0]! } });
    expect(session.body['user']).toMatchObject({
      subject: `oidc:${provider.issuer}#u1`,
      name: 'olga',
      roles: ['approver'],
    });
  });

  // Plan: a session at the provider that is older than the proof may be lets look, not approve; proving it there lets approve.
  it('is believed about when the person proved itself, not merely about who it is', async () => {
    provider.signedInAt -= 3_600;
    const olga = await signInThere();
    expect(provider.asked.get('max_age')).toBe(String(8 * 3_600));
    expect((await call('GET', '/api/v1/status', { headers: as(olga) })).status).toBe(200);
    expect((await approve(olga)).body).toMatchObject({ code: 'UNAUTHENTICATED', field: 'proof' });
    const proven = await signInThere('?again=1');
    expect([provider.asked.get('max_age'), provider.asked.get('prompt')]).toEqual(['0', 'login']);
    expect((await approve(proven)).status).toBe(200);
  });

  // Plan: what the provider says of the time, and whether an approval follows at once.
  it.each<[string, number | undefined, boolean]>([
    ['nothing', undefined, false],
    ['a moment ago', -1, true],
    ['far in the future, which is no longer than now', 1e9, true],
  ])('says of the proof: %s', async (_what, seconds, approves) => {
    provider.claims = { auth_time: seconds && Math.floor(Date.now() / 1000) + seconds };
    const olga = await signInThere();
    expect((await approve(olga)).status).toBe(approves ? 200 : 401);
    ahead += 6 * 60_000;
    expect((await approve(olga)).body.field).toBe('proof');
  });

  // Plan: a journey that was not begun here, a second use of the code, another's state or nonce, and a token for another client fail.
  it.each<[string, () => Promise<{ back: URL; cookie: string }>]>([
    ['without the journey', async () => ({ ...(await journey()), cookie: '' })],
    [
      'on the journey of another browser',
      async () => ({ back: (await journey()).back, cookie: (await journey()).cookie }),
    ],
    [
      'with a code that was used',
      async () => {
        const { back, cookie } = await journey();
        await finish(back, cookie);
        return { back, cookie };
      },
    ],
    ['with a token for another client', () => ((provider.claims = { aud: 'somebody' }), journey())],
    ['with a token of another sign-in', () => ((provider.claims = { nonce: 'other' }), journey())],
    ['with a token of another issuer', () => ((provider.claims = { iss: 'https://other.example' }), journey())],
  ])('is not believed %s', async (_what, prepare) => {
    const { back, cookie } = await prepare();
    const { reply, status } = await finish(back, cookie);
    expect([status, cookieIn(reply)]).toEqual([401, undefined]);
  });

  // Plan: a provider that is down is said so, and local users still get in.
  it('may be down', async () => {
    await provider.stop();
    expect((await call('GET', '/auth/oidc/login')).body).toMatchObject({ code: 'UNAVAILABLE' });
    expect((await signIn('anna')).csrf).not.toBe('');
    provider = await new IdentityProvider('cadastre-page').start();
  });
});

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { parseGrant } from '@cadastre/core';
import { bearerMetadata, fromServiceError, operatorService, Peer } from '@cadastre/contracts';
import { systemClock } from '@cadastre/runtime';
import { FakeOperations } from '../browser/fake-operations.js';
import type { GuardedServer } from './guarded-server.js';
import { startGuardedServer } from './guarded-server.js';
import { IdentityProvider } from './identity-provider.js';

const PASSWORD = 'correct horse battery';
const BOOTSTRAP = 'b'.repeat(40);

let ahead = 0;
const clock = { ...systemClock, wallMs: () => Date.now() + ahead, monotonicMs: () => performance.now() + ahead };
let operations: FakeOperations;
let server: GuardedServer;
let provider: IdentityProvider;
let closing: (() => void)[];

beforeEach(async () => {
  ahead = 0;
  closing = [];
  operations = new FakeOperations().fill();
  operations.plan = { ...operations.propose(), state: 'executing' };
  provider = await new IdentityProvider('cadastre-page').start();
  const { issuer } = provider;
  const jwt = { issuer, audience: 'cadastre', jwks: `${issuer}/jwks`, roles: { ci: ['viewer'] } };
  server = await startGuardedServer({ operations, config: { jwt }, clock, bootstrapToken: BOOTSTRAP });
  await server.access.putUser({ name: 'vera', grants: [parseGrant('viewer')], password: PASSWORD }, 'test', '');
});
afterEach(async () => {
  for (const close of closing) close();
  await server.stop();
  await provider.stop();
});

interface Stream {
  /** Resolves when what the server sent says so. */
  readonly shows: (mark: string) => Promise<void>;
  /** Resolves with the reason when the server has ended it. */
  readonly ended: Promise<string>;
}

type Opener = (token: string) => Stream;

class Shown {
  private text = '';
  private readonly waiting = new Map<string, () => void>();

  add(text: string): void {
    this.text += text;
    for (const [mark, resolve] of this.waiting) if (this.text.includes(mark)) resolve();
  }

  readonly shows = (mark: string): Promise<void> =>
    this.text.includes(mark) ? Promise.resolve() : new Promise((resolve) => void this.waiting.set(mark, resolve));
}

const events: Opener = (token) => {
  const abort = new AbortController();
  closing.push(() => abort.abort());
  const shown = new Shown();
  const read = async (): Promise<string> => {
    const headers = { authorization: `Bearer ${token}` };
    const reply = await fetch(`${server.url}/api/v1/events`, { headers, signal: abort.signal });
    for await (const chunk of reply.body!) shown.add(Buffer.from(chunk).toString());
    return 'ended';
  };
  return { shows: shown.shows, ended: read().catch(() => 'aborted') };
};

const watchPlan: Opener = (token) => {
  const peer = new Peer(server.grpc);
  closing.push(() => peer.close());
  const shown = new Shown();
  const call = peer.operator.watchPlan({ id: 'latest' }, bearerMetadata(token));
  call.on('data', (plan) => shown.add(JSON.stringify(plan)));
  const ended = new Promise<string>((resolve) => {
    call.on('end', () => resolve('ended'));
    call.on('error', (error) => resolve(fromServiceError(error as Parameters<typeof fromServiceError>[0]).code));
  });
  return { shows: shown.shows, ended };
};

const session = async () => (await server.access.signIn('vera', PASSWORD, '')).token;
const jwt = () => provider.token({ iss: provider.issuer, aud: 'cadastre', sub: 'ci-1', roles: ['ci'] }, 300);
const change = (note: string): void => {
  operations.plan = { ...operations.plan!, note };
};

describe('a stream', () => {
  // Plan: each stream by each kind of proof; the proof loses its worth, and the stream ends although nothing of the state changes.
  it.each<[string, string, Opener, () => Promise<string>, (token: string) => unknown]>([
    ['events', 'signing out', events, session, (token) => server.access.signOut(token)],
    ['WatchPlan', 'signing out', watchPlan, session, (token) => server.access.signOut(token)],
    [
      'WatchPlan',
      'being disabled',
      watchPlan,
      session,
      () => server.access.putUser({ name: 'vera', disabled: true }, 'test', ''),
    ],
    ['events', 'the end of a session', events, session, () => (ahead += 9 * 3_600_000)],
    ['events', 'the end of a token', events, jwt, () => (ahead += 331_000)],
    ['WatchPlan', 'the end of a token', watchPlan, jwt, () => (ahead += 331_000)],
  ])('of %s ends with %s', async (_name, _what, open, prove, end) => {
    const token = await prove();
    const stream = open(token);
    change('mark-1');
    await stream.shows('mark-1');
    await end(token);
    expect(['ended', 'UNAUTHENTICATED']).toContain(await stream.ended);
  });

  // Plan: what still holds goes on: the bootstrap token, and a signed token shortly before its end.
  it.each<[string, string, Opener, () => Promise<string>]>([
    ['events', 'the bootstrap token', events, () => Promise.resolve(BOOTSTRAP)],
    ['WatchPlan', 'the bootstrap token', watchPlan, () => Promise.resolve(BOOTSTRAP)],
    ['events', 'a token that holds', events, jwt],
    ['WatchPlan', 'a token that holds', watchPlan, jwt],
  ])('of %s goes on with %s', async (_name, _what, open, prove) => {
    const stream = open(await prove());
    change('mark-1');
    await stream.shows('mark-1');
    ahead += 200_000;
    change('mark-2');
    await stream.shows('mark-2');
    expect(operations.plan!.note).toBe('mark-2');
  });
});

describe('each call of operators by gRPC', () => {
  type Outcome = Promise<string>;
  const codeOf = (error: unknown): string => fromServiceError(error as Parameters<typeof fromServiceError>[0]).code;
  /** @returns the code of the refusal, or "answered" */
  const codeWith = (peer: Peer, method: string, token: string): Outcome =>
    new Promise((resolve) => {
      const { path, responseStream, requestSerialize, responseDeserialize } = Reflect.get(operatorService, method);
      const client = peer.operator as unknown as {
        makeUnaryRequest(...given: unknown[]): void;
        makeServerStreamRequest(...given: unknown[]): {
          on(event: string, seen: (what: unknown) => void): void;
          cancel(): void;
        };
      };
      const given = [path, requestSerialize, responseDeserialize, {}, bearerMetadata(token)];
      const onEnd = (error: unknown): void => resolve(error ? codeOf(error) : 'answered');
      if (!responseStream) return client.makeUnaryRequest(...given, { deadline: Date.now() + 10_000 }, onEnd);
      const call = client.makeServerStreamRequest(...given);
      call.on('error', onEnd);
      return call.on('data', () => (resolve('answered'), call.cancel()));
    });

  // Plan: every method that the service has, by somebody unknown and by somebody signed in without a role: none gets as far as the verb.
  it.each<[string, string, () => Promise<string>]>([
    ['UNAUTHENTICATED', 'an unknown token', () => Promise.resolve('x'.repeat(40))],
    [
      'PERMISSION_DENIED',
      'a token without a role',
      () => provider.token({ iss: provider.issuer, aud: 'cadastre', sub: 'ci-2', roles: ['somebody'] }),
    ],
  ])('is %s with %s', async (code, _what, prove) => {
    const token = await prove();
    const peer = new Peer(server.grpc);
    closing.push(() => peer.close());
    const methods = Object.keys(operatorService);
    expect(methods).toContain('ActOnPlan');
    const codes = await Promise.all(methods.map(async (method) => [method, await codeWith(peer, method, token)]));
    expect(codes).toEqual(methods.map((method) => [method, code]));
    expect(operations.acts).toEqual([]);
  });
});

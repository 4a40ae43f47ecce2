import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { request as httpRequest } from 'node:http';
import { ROUTES } from '../../apps/control-plane/src/rest/openapi.js';
import { FakeOperations } from '../browser/fake-operations.js';
import type { PageServer } from '../browser/page-server.js';
import { startPageServer } from '../browser/page-server.js';

let operations: FakeOperations;
let server: PageServer;
beforeEach(async () => {
  operations = new FakeOperations().fill();
  server = await startPageServer(operations);
});
afterEach(() => server.stop());

const JSON_TYPE = { 'content-type': 'application/json' };
const post = (path: string, body: unknown, headers: Record<string, string> = JSON_TYPE): Promise<Response> =>
  fetch(server.url + path, { method: 'POST', headers, body: typeof body === 'string' ? body : JSON.stringify(body) });

/** fetch sets Host itself, so a foreign one takes a plain request. */
const statusWithHost = (path: string, host: string): Promise<number> =>
  new Promise((resolve, reject) => {
    httpRequest(server.url + path, { headers: { host } }, (reply) => (reply.resume(), resolve(reply.statusCode!)))
      .on('error', reject)
      .end();
  });

describe('REST', () => {
  it.each([
    { story: 'no JSON', path: '/api/v1/plans', body: '{bad', status: 400, code: 'INVALID_ARGUMENT', field: undefined },
    { story: 'no actor', path: '/api/v1/plans', body: {}, status: 400, code: 'INVALID_ARGUMENT', field: 'actor' },
    {
      story: 'a field that is unknown',
      path: '/api/v1/plans',
      body: { actor: 'a', keyspace: 'x' },
      status: 400,
      code: 'INVALID_ARGUMENT',
      field: 'keyspace',
    },
    {
      story: 'a nested field',
      path: '/api/v1/keyspaces',
      body: { actor: 'a', name: 'x', scheme: { kind: 'hash-slots', slots: 0 }, replicationFactor: 3, minInSync: 2 },
      status: 400,
      code: 'INVALID_ARGUMENT',
      field: 'scheme.slots',
    },
    {
      story: 'what cannot be placed',
      path: '/api/v1/keyspaces',
      body: { actor: 'a', name: 'x', scheme: { kind: 'hash-slots', slots: 8 }, replicationFactor: 3, minInSync: 2 },
      status: 422,
      code: 'UNSATISFIABLE',
      field: 'spread[0]',
    },
    {
      story: 'a policy with a misspelt field',
      path: '/api/v1/keyspaces/orders/policy',
      body: { actor: 'a', policy: { spread: [{ label: 'zone', maxPerDomian: 1 }] } },
      status: 400,
      code: 'INVALID_ARGUMENT',
      field: 'policy.spread[0].maxPerDomian',
    },
    {
      story: 'a policy of the cluster that contradicts itself',
      path: '/api/v1/policy',
      body: { actor: 'a', policy: { spread: [{ label: 'zone', maxPerDomain: 1, minPerDomain: { a: 2 } }] } },
      status: 400,
      code: 'INVALID_ARGUMENT',
      field: 'policy.spread[0].minPerDomain.a',
    },
    {
      story: 'an unknown plan',
      path: '/api/v1/plans/ffff/pause',
      body: { actor: 'a' },
      status: 404,
      code: 'NOT_FOUND',
      field: 'id',
    },
    {
      story: 'an unknown act',
      path: '/api/v1/plans/ffff/explode',
      body: { actor: 'a' },
      status: 404,
      code: 'NOT_FOUND',
      field: 'action',
    },
    {
      story: 'an approval without the digest',
      path: '/api/v1/plans/latest/approve',
      body: { actor: 'a' },
      status: 400,
      code: 'INVALID_ARGUMENT',
      field: 'digest',
    },
    {
      story: 'an approval of another plan',
      path: '/api/v1/plans/latest/approve',
      body: { actor: 'a', digest: '0'.repeat(64) },
      status: 409,
      code: 'PLAN_CHANGED',
      field: 'digest',
    },
    {
      story: 'a body over 1 MiB',
      path: '/api/v1/plans',
      body: { actor: 'a'.repeat(1024 * 1024) },
      status: 413,
      code: 'RESOURCE_EXHAUSTED',
      field: undefined,
    },
  ])('answers $story with a problem that says what to do', async ({ path, body, status, code, field }) => {
    // Plan: one bad request each; status, code, field and a remedy, as application/problem+json.
    operations.propose();
    const reply = await post(path, body);
    expect(reply.headers.get('content-type')).toContain('application/problem+json');
    const problem = (await reply.json()) as Record<string, unknown>;
    expect(problem).toMatchObject({
      status,
      code,
      remedy: expect.any(String),
      detail: expect.any(String),
      title: expect.any(String),
    });
    expect(problem['field']).toBe(field);
    expect(reply.status).toBe(status);
  });

  it('hides the words of its own faults', async () => {
    // Plan: an operation throws something that is no typed error; the reply is INTERNAL and does not repeat it.
    operations.listNodes = () => {
      throw new Error('secret path');
    };
    const reply = await fetch(`${server.url}/api/v1/nodes`);
    expect(reply.status).toBe(500);
    expect(await reply.text()).not.toContain('secret');
  });

  it('refuses pages of other sites and rebound names', async () => {
    // Plan: foreign origin, form content type, foreign host; the same with the own origin works.
    expect((await post('/api/v1/plans', { actor: 'a' }, { ...JSON_TYPE, origin: 'https://evil.example' })).status).toBe(
      403,
    );
    expect((await post('/api/v1/plans', { actor: 'a' }, { ...JSON_TYPE, origin: 'null' })).status).toBe(403);
    expect(
      (await post('/api/v1/plans', 'actor=a', { 'content-type': 'application/x-www-form-urlencoded' })).status,
    ).toBe(415);
    expect((await post('/api/v1/plans', '{"actor":"a"}', { 'content-type': 'text/plain' })).status).toBe(415);
    expect(await statusWithHost('/api/v1/status', 'evil.example')).toBe(403);
    expect(operations.acts).toEqual([]);
    expect((await post('/api/v1/plans', { actor: 'a' }, { ...JSON_TYPE, origin: server.url })).status).toBe(200);
  });

  it('gives and takes what its OpenAPI document says', async () => {
    // Plan: every route of the document answers, no route is missing from it, and each reply fits its schema; references resolve.
    operations.propose();
    const document = (await (await fetch(`${server.url}/api/openapi.json`)).json()) as {
      openapi: string;
      paths: Record<string, Record<string, unknown>>;
      components: { schemas: Record<string, unknown> };
    };
    expect(document.openapi).toMatch(/^3\.1\./);
    const names = new Set(Object.keys(document.components.schemas));
    for (const [, ref] of JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/(\w*)"/g))
      expect(names).toContain(ref);
    for (const route of ROUTES) {
      expect(document.paths[route.path]).toHaveProperty(route.method);
      if (route.method !== 'get' || route.replyType) continue;
      const places: Record<string, string> = { name: 'orders', id: 'latest', partition: '7', node: 'n1' };
      const path = route.path.replace(/\{(\w+)\}/g, (_, name: string) => places[name]!);
      const reply = await fetch(server.url + path + (route.id === 'locate' ? '?key=alice' : ''));
      expect([route.path, reply.status]).toEqual([route.path, 200]);
      expect(() => route.reply.parse(undefined)).toThrow();
      route.reply.parse(await reply.json());
    }
  });

  it('keeps a policy as it was given', async () => {
    // Keys of a residency rule as text and as bytes; read back the same.
    const policy = {
      required: [{ label: 'disk', op: 'in', values: ['ssd'] }],
      residency: [
        { partitions: { kind: 'keys', start: 'eu/', endHex: 'ff00' }, nodes: [{ label: 'region', op: 'exists' }] },
      ],
    };
    const reply = await post('/api/v1/keyspaces/orders/policy', { actor: 'a', policy });
    expect([reply.status, await reply.json()]).toMatchObject([200, { keyspace: 'orders', policy }]);
    const read = await fetch(`${server.url}/api/v1/keyspaces/orders/policy`);
    expect(await read.json()).toMatchObject({ policy });
  });

  it('pages through partitions', async () => {
    // Plan: 256 partitions in pages of 100: 100, 100, 56, each once; a limit out of range is refused.
    const seen: number[] = [];
    for (let from: number | undefined = 0; from !== undefined;) {
      const page = (await (
        await fetch(`${server.url}/api/v1/keyspaces/orders/partitions?from=${from}&limit=100`)
      ).json()) as { partitions: { partition: number }[]; next?: number };
      seen.push(...page.partitions.map((p) => p.partition));
      from = page.next;
    }
    expect(seen).toEqual(Array.from({ length: 256 }, (_, i) => i));
    expect((await fetch(`${server.url}/api/v1/keyspaces/orders/partitions?limit=0`)).status).toBe(400);
  });

  it('tells of changes as server-sent events, at most four a second', async () => {
    // Plan: open the stream, change the state twenty times within it, and count what comes: the last state, few events, rising ids.
    const reader = (await fetch(`${server.url}/api/v1/events`)).body!.getReader();
    let text = '';
    const readUntil = async (word: string): Promise<void> => {
      while (!text.includes(word)) text += Buffer.from((await reader.read()).value!).toString();
    };
    await readUntil('event: state');
    const began = Date.now();
    for (let i = 1; i <= 20; i += 1) {
      operations.health = `step ${i}.`;
      server.touch();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await readUntil('step 20.');
    await reader.cancel();
    const ids = [...text.matchAll(/^id: (\d+)$/gm)].map((m) => Number(m[1]));
    expect(ids.length).toBeLessThanOrEqual(2 + Math.ceil((Date.now() - began) / 250));
    expect(ids).toEqual([...ids].sort((x, y) => x - y));
  });

  it('says where a key lives, and by which steps', async () => {
    // Plan: text and base64 of the same bytes give the same place; no key, and what is no base64, are refused by their field.
    const ask = async (query: string) =>
      (await fetch(`${server.url}/api/v1/keyspaces/orders/locate?${query}`)).json() as Promise<{ scheme?: string }>;
    const found = await ask('key=alice');
    expect(found).toMatchObject({ keyspace: 'orders', keyHex: '616c696365', replicas: [{ node: 'n1' }] });
    expect(found.scheme).toContain('256 slots of murmur3');
    expect(await ask('key=YWxpY2U=&encoding=base64')).toEqual(found);
    expect(await ask('key=*&encoding=base64')).toMatchObject({ code: 'INVALID_ARGUMENT', field: 'key' });
    expect(await ask('key=')).toMatchObject({ code: 'INVALID_ARGUMENT', field: 'key' });
    expect(await ask('')).toMatchObject({ code: 'INVALID_ARGUMENT', field: 'key' });
  });

  it('answers probes', async () => {
    // Plan: alive and ready; an unknown path is a typed 404; the page comes with a strict policy.
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
    expect(await (await fetch(`${server.url}/nope`)).json()).toMatchObject({ code: 'NOT_FOUND', status: 404 });
    const page = await fetch(`${server.url}/`);
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(page.headers.get('cache-control')).toBe('no-cache');
    const html = await page.text();
    expect(html).not.toMatch(/<script(?![^>]*src=)/);
    const script = await fetch(server.url + /src="(\/assets\/[^"]+-[\w-]{8}\.js)"/.exec(html)![1]!);
    expect(script.headers.get('cache-control')).toContain('immutable');
    expect(script.headers.get('content-type')).toContain('javascript');
  });

  it('does a change once that is sent twice with one key', async () => {
    // Plan: the same proposal twice with one key, then another request with that key, another key, and a key that is none.
    const headers = { ...JSON_TYPE, 'idempotency-key': 'k-1' };
    const replies = [
      await post('/api/v1/plans', { actor: 'a' }, headers),
      await post('/api/v1/plans', { actor: 'a' }, headers),
    ];
    expect(await replies[0]!.json()).toEqual(await replies[1]!.json());
    expect(replies.map((r) => [r.status, r.headers.get('idempotency-replayed')])).toEqual([
      [200, null],
      [200, 'true'],
    ]);
    expect(operations.acts).toHaveLength(1);
    expect((await post('/api/v1/plans', { actor: 'b' }, headers)).status).toBe(409);
    await post('/api/v1/plans', { actor: 'a' }, { ...JSON_TYPE, 'idempotency-key': 'k-2' });
    expect(operations.acts).toHaveLength(2);
    const bad = await post('/api/v1/plans', { actor: 'a' }, { ...JSON_TYPE, 'idempotency-key': 'x'.repeat(129) });
    expect([bad.status, ((await bad.json()) as { field: string }).field]).toEqual([400, 'Idempotency-Key']);
  });

  it('tries a change again that failed under its key', async () => {
    // Plan: an approval with a wrong digest is refused, and refused anew rather than remembered.
    operations.propose();
    const headers = { ...JSON_TYPE, 'idempotency-key': 'k-3' };
    const approve = () => post('/api/v1/plans/latest/approve', { actor: 'a', digest: '0'.repeat(64) }, headers);
    expect([(await approve()).status, (await approve()).status]).toEqual([409, 409]);
    expect(operations.acts).toHaveLength(2);
  });

  it('changes only what was read', async () => {
    // Plan: the ETag of the approval policy is taken as If-Match once; after the change it is refused with 412.
    const etag = (await fetch(`${server.url}/api/v1/approval-policy`)).headers.get('etag')!;
    const headers = { ...JSON_TYPE, 'if-match': etag };
    const body = { actor: 'a', policy: { approvals: 2 } };
    const first = await post('/api/v1/approval-policy', body, headers);
    expect([first.status, first.headers.get('etag') === etag]).toEqual([200, false]);
    const second = await post('/api/v1/approval-policy', body, headers);
    expect([second.status, ((await second.json()) as { code: string }).code]).toEqual([412, 'FAILED_PRECONDITION']);
  });

  it('gives lists in pages', async () => {
    // Plan: eight nodes, three at a time, by `next` until it is gone.
    const seen: string[] = [];
    for (let from: number | undefined = 0; from !== undefined;) {
      const reply = await fetch(`${server.url}/api/v1/nodes?from=${from}&limit=3`);
      const page = (await reply.json()) as { nodes: { id: string }[]; next?: number };
      seen.push(...page.nodes.map((n) => n.id));
      from = page.next;
    }
    expect(seen).toEqual(operations.nodes.map((n) => n.entry!.id));
  });

  it('goes on with events where the reader was', async () => {
    // Plan: read one event, come back with its id: nothing is sent until the state differs, and then all of it.
    const read = async (headers: Record<string, string>, change?: () => void) => {
      const stop = new AbortController();
      const reply = await fetch(`${server.url}/api/v1/events`, { headers, signal: stop.signal });
      let text = '';
      change?.();
      for await (const chunk of reply.body!) {
        text += Buffer.from(chunk).toString();
        if (text.includes('data: ') && text.endsWith('\n\n')) break;
      }
      stop.abort();
      return { id: /id: (\w+)/.exec(text)![1]!, text };
    };
    const first = await read({});
    const next = await read({ 'last-event-id': first.id }, () => void (operations.health = 'Different.'));
    expect(first.text).not.toContain('Different.');
    expect(next.text.match(/event: state/g)).toHaveLength(1);
    expect(next.text).toContain('Different.');
  });
});

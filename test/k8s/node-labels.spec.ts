import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:https';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../apps/storage-agent/dist/node-labels/main.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'cadastre-node-labels-'));
const out = join(folder, 'labels');
const account = join(folder, 'account');
const TOKEN = 'a-token-of-the-service-account';

/** Answers as the API server does to the service account that may get nodes. */
let server: Server;
let busy = 0;
let asked: string[] = [];

const run = async (node: string, ...args: string[]) => {
  const api = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const flags = ['--node', node, '--out', out, '--api', api, '--account', account, ...args];
  const child = spawn(process.execPath, [MAIN, ...flags], { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (text += data));
  const [code] = (await once(child, 'close')) as [number];
  return { code, text };
};

beforeAll(async () => {
  mkdirSync(account);
  const [key, cert] = [join(folder, 'key.pem'), join(account, 'ca.crt')];
  const subject = ['-subj', '/CN=apiserver', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const kind = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'];
  execFileSync('openssl', [...kind, '-keyout', key, '-out', cert, ...subject], { stdio: 'pipe' });
  writeFileSync(join(account, 'token'), `${TOKEN}\n`);
  const labels = {
    'topology.kubernetes.io/region': 'eu',
    'topology.kubernetes.io/zone': 'eu-1',
    'example.com/rack': 'r7',
  };
  server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (request, answer) => {
    asked.push(`${request.method} ${request.url} ${request.headers.authorization}`);
    const node = request.url!.split('/').at(-1)!;
    if (busy > 0 && busy--) return answer.writeHead(503).end();
    if (node === 'forbidden') return answer.writeHead(403).end('{}');
    if (!['w1', 'bare'].includes(node)) return answer.writeHead(404).end('{}');
    return answer.end(JSON.stringify({ kind: 'Node', metadata: { name: node, labels: node === 'w1' ? labels : {} } }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true });
});

describe('the labels of a Kubernetes node', () => {
  // Plan: the step asks for one node with the account's token, over TLS of the account's CA, and writes what the agent then reads.
  it('become labels of the agent', async () => {
    asked = [];
    const keys = ['zone=topology.kubernetes.io/zone', 'region=topology.kubernetes.io/region', 'rack=example.com/rack'];
    const { code, text } = await run('w1', ...keys.flatMap((key) => ['--label-key', key]));
    expect({ code, text }).toMatchObject({ code: 0 });
    expect(asked).toEqual([`GET /api/v1/nodes/w1 Bearer ${TOKEN}`]);
    expect(text).not.toContain(TOKEN);
    expect(readFileSync(out, 'utf8')).toBe('zone=eu-1\nregion=eu\nrack=r7\n');
  });

  // Plan: a node without the labels gives none, and the log says so; nobody is put into one zone silently.
  it('are unknown, loudly, where the node has none', async () => {
    const { code, text } = await run('bare');
    expect(code).toBe(0);
    expect(readFileSync(out, 'utf8')).toBe('');
    expect(text).toContain('node bare does not say its region, zone');
  });

  // Plan: the API server is busy twice, then answers.
  it('are asked for again while the API server is busy', async () => {
    busy = 2;
    expect(await run('w1')).toMatchObject({ code: 0 });
    expect(readFileSync(out, 'utf8')).toContain('zone=eu-1');
  });

  // Plan: what cannot be had ends the step with one line, code 1 and what to do; a foreign certificate is not trusted.
  it.each([
    ['forbidden', [], /answered 403 .*get nodes/],
    ['nobody', [], /answered 404 .*name of a node/],
    ['w1', ['--account', tmpdir()], /--account: .*ENOENT/],
    ['W1!', [], /--node: is no name/],
    ['w1', ['--api', 'http://127.0.0.1:1'], /--api: is an https URL/],
  ])('cannot be had for %s %j', async (node, args, message) => {
    const { code, text } = await run(node, ...args);
    expect(text).toMatch(message);
    expect(text.trim().split('\n')).toHaveLength(1);
    expect(code).toBe(1);
  });

  it('are not taken from a server that the account does not know', async () => {
    // Plan: the account's CA is another one; the step gives up after its time instead of believing what it is told.
    const other = join(folder, 'other');
    mkdirSync(other);
    writeFileSync(join(other, 'token'), TOKEN);
    const subject = ['-subj', '/CN=other', '-days', '1', '-nodes', '-keyout', join(folder, 'other.pem')];
    const kind = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
    execFileSync('openssl', [...kind, ...subject, '-out', join(other, 'ca.crt')], { stdio: 'pipe' });
    asked = [];
    const { code, text } = await run('w1', '--account', other, '--timeout-ms', '700');
    expect({ code, asked }).toEqual({ code: 1, asked: [] });
    expect(text).toMatch(/certificate|signature/);
  });
});

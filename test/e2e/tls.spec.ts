import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectPlain } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { connect as connectSecured } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { issueCertificate } from '@cadastre/certificates';
import { CadastreClient } from '@cadastre/client';
import type { CredentialFiles, Peer, Wire } from '@cadastre/contracts';
import { callUnary, CredentialSource, tlsTransport } from '@cadastre/contracts';
import type { PeerRole } from '@cadastre/core';
import { CadastreError } from '@cadastre/core';
import { silentLogger, systemClock } from '@cadastre/runtime';
import { runToEnd } from '@cadastre/testkit';

interface State {
  readonly etcd: { readonly endpoints: readonly string[]; readonly peerPort: number };
  readonly controlPlanes: readonly { readonly grpc: string; readonly http: string }[];
  readonly agents: readonly { readonly id: string; readonly address: string }[];
  readonly routers: readonly { readonly address: string }[];
  readonly tls: CredentialFiles;
}

const bin = join(import.meta.dirname, '../../apps/cli/bin/cadastre.mjs');
const folder = mkdtempSync(join(tmpdir(), 'cadastre-tls-e2e-'));
const peers: Peer[] = [];
let supervisor: ChildProcess;
let state: State;

/** A certificate of the cluster's own authority, as whoever holds its key could make one. */
const issue = (role: PeerRole, name: string): CredentialFiles => {
  const ca = join(dirname(state.tls.cert), '..', 'ca');
  const authority = {
    certificate: readFileSync(join(ca, 'ca.crt'), 'utf8'),
    key: readFileSync(join(ca, 'ca.key'), 'utf8'),
  };
  const issued = issueCertificate(authority, {
    name,
    identity: { cluster: 'cadastre', role, name },
    hosts: ['127.0.0.1'],
    notBeforeMs: Date.now() - 60_000,
    notAfterMs: Date.now() + 3_600_000,
  });
  const at = (file: string) => join(folder, `${role}-${name}.${file}`);
  writeFileSync(at('crt'), issued.certificate);
  writeFileSync(at('key'), issued.key);
  return { cert: at('crt'), key: at('key'), ca: state.tls.ca };
};

const peerAs = (files: CredentialFiles, address: string): Peer => {
  const source = new CredentialSource(files, { clock: systemClock, logger: silentLogger });
  const peer = tlsTransport(source, systemClock).peer(address);
  peers.push(peer);
  return peer;
};

const cli = (...args: string[]) => {
  const { cert, key, ca } = state.tls;
  const server = ['--server', state.controlPlanes[0]!.grpc, '--tls-cert', cert, '--tls-key', key, '--tls-ca', ca];
  return runToEnd(bin, ['--json', ...server, ...args]);
};

const failure = (task: Promise<unknown>): Promise<CadastreError> =>
  task.then(
    () => expect('this').toBe('refused') as never,
    (error: unknown) => CadastreError.from(error),
  );

const LIMITS = { deadlineMs: 10_000 };

beforeAll(async () => {
  const args = ['--json', 'up', '--tls', '--ephemeral', '--agents', '3', '--control-planes', '1'];
  supervisor = spawn(process.execPath, [bin, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const line of createInterface({ input: supervisor.stdout! })) {
    const said = JSON.parse(line) as State & { event?: string };
    if (said.event !== 'ready') continue;
    state = said;
    return;
  }
  throw new Error('cadastre up ended before it was ready');
}, 180_000);

afterAll(async () => {
  for (const peer of peers) peer.close();
  const ended = new Promise((resolve) => supervisor.once('exit', resolve));
  supervisor.kill('SIGTERM');
  await ended;
  rmSync(folder, { recursive: true, force: true });
}, 30_000);

describe('a cluster with TLS', () => {
  // Plan: a keyspace, a write and a read, by the command line, the smart client, and a program that knows only the router.
  it('does what a cluster does', async () => {
    expect(await cli('keyspace', 'create', 'orders', '--partitions', '8')).toMatchObject({ code: 0 });
    const client = await CadastreClient.connect({
      controlPlanes: state.controlPlanes.map(({ grpc }) => grpc),
      tls: issue('client', 'shop'),
    });
    try {
      await client.keyspace('orders').put('hello', 'world');
      expect(Buffer.from((await client.keyspace('orders').get('hello'))!).toString()).toBe('world');
    } finally {
      await client.close();
    }
    const { kv } = peerAs(issue('client', 'shop'), state.routers[0]!.address);
    const target = { keyspace: 'orders', byKey: true };
    const read = callUnary<Wire.GetRequest, Wire.GetReply__Output>(
      kv,
      kv.Get,
      { target, key: Buffer.from('hello') },
      LIMITS,
    );
    expect(String((await read).value)).toBe('world');
  });

  // Plan: every address that anything listens on is asked in plaintext, by HTTP/2 and HTTP/1; none answers, and each speaks TLS.
  it('answers nobody in plaintext', async () => {
    const etcd = state.etcd.endpoints.map((endpoint) => endpoint.replace('https://', ''));
    const listening = [
      ...state.controlPlanes.flatMap(({ grpc, http }) => [grpc, http]),
      ...state.agents.map(({ address }) => address),
      ...state.routers.map(({ address }) => address),
      ...etcd,
      `127.0.0.1:${state.etcd.peerPort}`,
    ];
    expect(listening).toHaveLength(8);
    for (const address of listening) {
      for (const hello of ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'GET /version HTTP/1.1\r\nhost: a\r\n\r\n'])
        expect([address, await saidInPlaintext(address, hello)]).toEqual([address, 'nothing of use']);
      expect([address, await protocolOf(address)]).toEqual([address, expect.stringMatching(/^TLSv1\.[23]$/)]);
    }
  });

  // Plan: an agent in the name of another, a client as an agent, and an agent as an operator, against the real servers.
  it('lets nobody be another', async () => {
    const address = state.controlPlanes[0]!.grpc;
    const report = (node: string, files: CredentialFiles) => {
      const { agent } = peerAs(files, address);
      return failure(callUnary(agent, agent.Report, { node, incarnation: 'x', applied: [], replicas: [] }, LIMITS));
    };
    expect(await report('n2', issue('agent', 'n1'))).toMatchObject({
      code: 'PERMISSION_DENIED',
      field: 'node',
      remedy: expect.stringContaining('n1'),
    });
    expect(await report('n1', issue('client', 'n1'))).toMatchObject({ code: 'PERMISSION_DENIED', field: 'role' });
    const { operator } = peerAs(issue('agent', 'n1'), address);
    expect(await failure(callUnary(operator, operator.Status, {}, LIMITS))).toMatchObject({
      code: 'PERMISSION_DENIED',
      field: 'role',
    });
    const { transfer } = peerAs(issue('agent', 'n9'), state.agents[0]!.address);
    const stream = transfer.replicate();
    const ended = new Promise<number>((resolve) =>
      stream.on('error', (error: object) => resolve(Number((error as { code?: number }).code))),
    );
    stream.write({ hello: { node: 'n2', incarnation: 'x' } });
    expect(await ended).toBe(7);
  });

  // Plan: the certificate of an agent, and none, at etcd: no byte of an answer; that of the control plane is let in.
  it('opens etcd to control planes alone', async () => {
    const [endpoint] = state.etcd.endpoints;
    const tls = dirname(dirname(state.tls.cert));
    const own = (name: string) => ({ cert: join(tls, name, 'tls.crt'), key: join(tls, name, 'tls.key') });
    const ca = readFileSync(join(tls, 'etcd-ca', 'ca.crt'));
    expect(await healthOf(endpoint!, ca, own('etcd-etcd-client'))).toContain('"health":"true"');
    expect(await healthOf(endpoint!, ca, own('agent-n1'))).toBe('');
    expect(await healthOf(endpoint!, ca, undefined)).toBe('');
  });

  // Plan: REST by HTTPS with the authority alone, as a browser comes; access is open here, so it is answered.
  it('serves the page by HTTPS', async () => {
    const text = await talk(state.controlPlanes[0]!.http, readFileSync(state.tls.ca), undefined, '/api/v1/status');
    expect(text).toMatch(/^HTTP\/1\.1 200/);
    expect(text).toContain('"nodesUp":3');
  });

  // Plan: a program with a certificate that is not its own, with half of the files, and without any: one line each.
  it('lets no program begin with a certificate of another', async () => {
    const main = join(import.meta.dirname, '../../apps/storage-agent/dist/main.js');
    const { cert, key, ca } = issue('agent', 'n8');
    const begin = (...more: string[]) =>
      runToEnd(main, ['--id', 'n9', '--data', join(folder, 'n9'), '--control-plane', '127.0.0.1:1', ...more]);
    const files = ['--tls-cert', cert, '--tls-key', key, '--tls-ca', ca];
    expect((await begin(...files)).stderr).toMatch(
      /^cadastre-agent: --tls-cert: .* is that of agent n8, .*\/agent\/n9/,
    );
    expect((await begin()).stderr).toMatch(/^cadastre-agent: --tls-cert: is missing .*--insecure/);
  });
});

const hostPort = (address: string): { host: string; port: number } => {
  const [host, port] = address.split(':') as [string, string];
  return { host, port: Number(port) };
};

/** Closing, a TLS alert, and go's word that TLS is wanted tell nothing. */
const saidInPlaintext = (address: string, hello: string): Promise<string> =>
  new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const socket = connectPlain(hostPort(address), () => socket.write(hello));
    socket.on('data', (data) => chunks.push(data));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      const said = Buffer.concat(chunks);
      const nothing = said.length === 0 || said[0] === 0x15 || /^HTTP\/1\.[01] 400/.test(said.toString('latin1'));
      resolve(nothing ? 'nothing of use' : said.toString('latin1'));
    });
    socket.setTimeout(3_000, () => socket.destroy());
  });

const protocolOf = (address: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const ALPNProtocols = ['h2', 'http/1.1'];
    const socket = connectSecured({ ...hostPort(address), rejectUnauthorized: false, ALPNProtocols }, () => {
      resolve(socket.getProtocol() ?? 'none');
      socket.destroy();
    });
    socket.on('error', reject);
  });

const healthOf = (endpoint: string, ca: Buffer, own: { cert: string; key: string } | undefined): Promise<string> =>
  talk(endpoint.replace('https://', ''), ca, own, '/health');

/** All that comes back; '' when the connection is broken off. */
const talk = (
  address: string,
  ca: Buffer,
  own: { cert: string; key: string } | undefined,
  path: string,
): Promise<string> =>
  new Promise((resolve) => {
    let text = '';
    const shown = own && { cert: readFileSync(own.cert), key: readFileSync(own.key) };
    const socket = connectSecured({ ...hostPort(address), ca, ...shown }, () =>
      socket.write(`GET ${path} HTTP/1.1\r\nhost: ${address}\r\nconnection: close\r\n\r\n`),
    );
    socket.on('data', (data) => (text += data.toString()));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(text));
  });

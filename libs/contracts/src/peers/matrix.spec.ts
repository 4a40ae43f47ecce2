import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { MethodDefinition, ServiceDefinition, ServiceError, StatusObject } from '@grpc/grpc-js';
import { Client, credentials, Metadata, status as Status } from '@grpc/grpc-js';
import type { PeerRole } from '@cadastre/core';
import { PEER_ROLES } from '@cadastre/core';
import { silentLogger, systemClock } from '@cadastre/runtime';
import { healthService } from '../health.js';
import { agentService, kvService, livenessService, mapService, operatorService, transferService } from '../proto.js';
import type { RpcServer } from '../server.js';
import { fromServiceError } from '../status.js';
import { SpecAuthority } from '../testing/issued-files.js';
import { CredentialSource } from '../tls/credential-source.driver.js';
import { tlsTransport } from '../tls/tls-transport.js';
import { ALLOW_LIST, type Rpc } from './allow-list.js';
import { claimsOf } from './own-name.js';

type Method = MethodDefinition<object, object>;

const SERVICES = [
  agentService,
  kvService,
  livenessService,
  mapService,
  operatorService,
  transferService,
  healthService,
];
const METHODS = SERVICES.flatMap((service) => Object.values(service as ServiceDefinition) as Method[]);
const rpcOf = (method: Method): Rpc => method.path.slice(1) as Rpc;

const PROTO = fileURLToPath(new URL('../../../../proto', import.meta.url));

/** What the files say, read as text: no loader decides what is seen. */
const rpcsOfFiles = (): string[] =>
  readdirSync(PROTO, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.proto'))
    .flatMap((path) => rpcsOfText(readFileSync(join(PROTO, path), 'utf8')));

const rpcsOfText = (text: string): string[] => {
  const [, name] = /^package ([\w.]+);/m.exec(text)!;
  return [...text.matchAll(/^service (\w+) \{([\s\S]*?)^\}/gm)].flatMap(([, service, body]) =>
    [...body!.matchAll(/^\s*rpc (\w+)/gm)].map(([, rpc]) => `${name}.${service}/${rpc}`),
  );
};

/** Says who sends it, where a message does. */
const messageOf = (rpc: Rpc, node: string): object => {
  if (rpc === 'cadastre.v1.Kv/Pipeline') return Buffer.alloc(0);
  if (rpc === 'cadastre.v1.Agent/Session') return { hello: { node: { id: node } } };
  if (rpc === 'cadastre.v1.Agent/ChangeInSyncMany') return { changes: [{ node: 'n1' }, { node }] };
  if (rpc === 'cadastre.v1.Map/WatchMap') return { subscribe: { node } };
  if (rpc === 'cadastre.v1.Transfer/Replicate') return { hello: { node } };
  return { node };
};

/** Answers whatever comes: who may ask is all that is looked at. */
const answering = (service: ServiceDefinition) =>
  Object.fromEntries(
    Object.entries(service).map(([name, { requestStream, responseStream, path }]) => {
      const reply = path.includes('/Map/') && responseStream ? undefined : {};
      if (requestStream) return [name, (call: any) => call.on('data', () => undefined).on('end', () => call.end())];
      if (responseStream) return [name, (call: any) => call.end()];
      return [name, (_call: unknown, callback: any) => callback(null, reply)];
    }),
  );

const call = (client: Client, method: Method, message: object): Promise<StatusObject> =>
  new Promise((resolve) => {
    const { path, requestSerialize: to, responseDeserialize: back } = method;
    const limits = { deadline: Date.now() + 20_000 };
    const done = (status: StatusObject) => resolve(status);
    if (!method.requestStream && !method.responseStream)
      return void client
        .makeUnaryRequest(path, to, back, message, new Metadata(), limits, () => undefined)
        .on('status', done);
    const stream = method.requestStream
      ? client.makeBidiStreamRequest(path, to, back, limits)
      : client.makeServerStreamRequest(path, to, back, message, limits);
    stream
      .on('status', done)
      .on('error', () => undefined)
      .resume();
    if (method.requestStream) (stream as unknown as { end(message: object): void }).end(message);
    return undefined;
  });

const errorOf = (status: StatusObject) => fromServiceError({ ...status, name: '', message: '' } as ServiceError);

const folder = mkdtempSync(join(tmpdir(), 'cadastre-matrix-'));
const own = new SpecAuthority(folder);
const stranger = new SpecAuthority(folder);
const sources: CredentialSource[] = [];
const servers: RpcServer[] = [];
const clients: Client[] = [];

const listen = async (people: boolean): Promise<string> => {
  const files = own.write('server', own.issue({ role: 'control-plane', name: 'cp1' }));
  const source = new CredentialSource(files, { clock: systemClock, logger: silentLogger });
  sources.push(source);
  const server = tlsTransport(source, systemClock).server({ people });
  for (const service of SERVICES) server.add(service as ServiceDefinition, answering(service as ServiceDefinition));
  servers.push(server);
  return `localhost:${await server.listen({ host: '127.0.0.1', port: 0 })}`;
};

/** A hostile client minds no rule of ours: plain grpc-js, with whatever certificate. */
const connect = (address: string, shown?: { certificate: string; key: string }): Client => {
  const ca = Buffer.from(own.authority.certificate);
  const [key, certificate] = shown ? [Buffer.from(shown.key), Buffer.from(shown.certificate)] : [null, null];
  const client = new Client(address, credentials.createSsl(ca, key, certificate));
  clients.push(client);
  return client;
};

const SHOWN = {
  none: () => undefined,
  'self-signed': () => stranger.authority,
  'of another authority': () => stranger.issue({ role: 'operator' }),
  expired: () => own.issue({ role: 'operator', endsInMs: -1_000 }),
  'of another cluster': () => own.issue({ role: 'operator', cluster: 'other' }),
} as const;

describe('who may call what, with TLS', () => {
  let closed: string;
  let forPeople: string;

  beforeAll(async () => {
    closed = await listen(false);
    forPeople = await listen(true);
  });
  afterAll(() => {
    for (const client of clients) client.close();
    for (const server of servers) server.cut();
    rmSync(folder, { recursive: true, force: true });
  });

  // Plan: the proto files, the services that are served here and the table name the same RPCs.
  it('has a decision for every RPC of every service in proto/', () => {
    expect(Object.keys(ALLOW_LIST).sort()).toEqual(rpcsOfFiles().sort());
    expect(METHODS.map(rpcOf).sort()).toEqual(rpcsOfFiles().sort());
    expect(rpcsOfFiles().length).toBeGreaterThan(40);
  });

  // Plan: every RPC with each right certificate; the table alone decides, and each refusal is typed and says what would help.
  it.each(PEER_ROLES.map((role): [PeerRole] => [role]))(
    'lets %s call what the table says, and nothing else',
    async (role) => {
      const client = connect(closed, own.issue({ role, name: 'n1' }));
      for (const method of METHODS) {
        const rpc = rpcOf(method);
        const status = await call(client, method, messageOf(rpc, role === 'agent' ? 'n1' : ''));
        const allowed = ALLOW_LIST[rpc].roles.includes(role);
        expect([rpc, status.code]).toEqual([rpc, allowed ? Status.OK : Status.PERMISSION_DENIED]);
        if (!allowed) expect(errorOf(status)).toMatchObject({ field: 'role', remedy: expect.stringContaining('role') });
      }
    },
  );

  // Plan: every RPC with each bad certificate, where persons are let in and where they are not.
  it.each(Object.keys(SHOWN) as (keyof typeof SHOWN)[])('lets nobody in whose certificate is %s', async (kind) => {
    const refused = kind === 'of another cluster' ? Status.PERMISSION_DENIED : Status.UNAUTHENTICATED;
    for (const [address, people] of [
      [closed, false],
      [forPeople, true],
    ] as const) {
      const client = connect(address, SHOWN[kind]());
      for (const method of METHODS) {
        const rpc = rpcOf(method);
        const status = await call(client, method, messageOf(rpc, 'n1'));
        const asPerson = people && ALLOW_LIST[rpc].people === true && refused === Status.UNAUTHENTICATED;
        expect([rpc, status.code]).toEqual([rpc, asPerson ? Status.OK : refused]);
        if (!asPerson) expect(errorOf(status)).toMatchObject({ field: 'certificate' });
      }
    }
  });

  // Plan: every RPC whose messages name their sender, called by an agent in the name of another.
  it('lets an agent speak only for itself', async () => {
    const client = connect(closed, own.issue({ role: 'agent', name: 'n1' }));
    const naming = METHODS.filter((method) => claimsOf(method.path));
    expect(naming).toHaveLength(8);
    for (const method of naming) {
      const status = await call(client, method, messageOf(rpcOf(method), 'n2'));
      expect([method.path, status.code]).toEqual([method.path, Status.PERMISSION_DENIED]);
      expect(errorOf(status)).toMatchObject({
        field: expect.stringMatching(/node/),
        message: expect.stringContaining('speaks only for itself'),
        remedy: expect.stringContaining('n1'),
      });
    }
  });

  // Plan: two identities in one certificate, and none at all, are nobody.
  it('lets nobody in whose certificate names nobody of ours', async () => {
    const nameless = own.issue({ role: 'agent', name: 'n 1' });
    const status = await call(connect(closed, nameless), METHODS[0]!, messageOf(rpcOf(METHODS[0]!), 'n1'));
    expect(status.code).toBe(Status.UNAUTHENTICATED);
  });
});

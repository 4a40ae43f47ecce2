import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import type { PeerRole } from '@cadastre/core';
import { CadastreError } from '@cadastre/core';
import type { Clock, Logger } from '@cadastre/runtime';
import { systemClock } from '@cadastre/runtime';
import { callUnary, type Peer } from '../channels.js';
import type * as Wire from '../generated/index.js';
import { ping as pingNode } from '../ping.js';
import { livenessService, transferService } from '../proto.js';
import type { RpcServer } from '../server.js';
import { streaming, unary } from '../server.js';
import type { IssueWish } from '../testing/issued-files.js';
import { SpecAuthority } from '../testing/issued-files.js';
import { CredentialSource } from './credential-source.driver.js';
import type { CredentialFiles } from './credentials.js';
import type { Transport } from '../transport.js';
import { tlsTransport } from './tls-transport.js';

const DAY_MS = 86_400_000;
const folder = mkdtempSync(join(tmpdir(), 'cadastre-tls-'));
const authority = new SpecAuthority(folder);
const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0).reverse()) close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

class Recorder implements Logger {
  readonly lines: { readonly level: string; readonly event: unknown; readonly error?: unknown }[] = [];
  debug = (_message: string, fields?: object) => this.add('debug', fields);
  info = (_message: string, fields?: object) => this.add('info', fields);
  warn = (_message: string, fields?: object) => this.add('warn', fields);
  error = (_message: string, fields?: object) => this.add('error', fields);
  private add(level: string, { event, error }: { event?: unknown; error?: unknown } = {}): void {
    this.lines.push({ level, event, ...(error !== undefined && { error }) });
  }
  get events(): unknown[] {
    return this.lines.map(({ event }) => event);
  }
}

const at = (wallMs: number): Clock => ({ ...systemClock, wallMs: () => wallMs });

let places = 0;
const newPlace = (): string => `p${(places += 1)}`;

interface SourceWish extends IssueWish {
  readonly place?: string;
  readonly clock?: Clock;
  readonly logger?: Logger;
  readonly of?: SpecAuthority;
}

const sourceOf = ({ place = newPlace(), clock = systemClock, logger = new Recorder(), of, ...wish }: SourceWish) => {
  const files = authority.write(place, (of ?? authority).issue(wish));
  return new CredentialSource(files, { clock, logger });
};

const serve = async (source: CredentialSource, clock = systemClock): Promise<string> => {
  const server: RpcServer = tlsTransport(source, clock).server();
  server.add(livenessService, { ping: unary(() => ({ node: 'n1', incarnation: 'i' })) } as never);
  server.add(transferService, {
    replicate: streaming((call: any) => {
      call.on('data', () => call.write({}));
      call.on('end', () => call.end());
    }),
  } as never);
  closers.push(() => server.cut());
  return `127.0.0.1:${await server.listen({ host: '127.0.0.1', port: 0 })}`;
};

const peerTo = (address: string, source: CredentialSource): Peer => {
  const peer = tlsTransport(source, systemClock).peer(address);
  closers.push(() => peer.close());
  return peer;
};

const ping = (peer: Peer): Promise<Wire.PingReply__Output> =>
  callUnary(peer.liveness, peer.liveness.ping, {}, { deadlineMs: 10_000 });

const failure = (task: Promise<unknown>): Promise<CadastreError> =>
  task.then(
    () => expect('this').toBe('refused') as never,
    (error: unknown) => CadastreError.from(error),
  );

/** Of the certificate that a server shows to a new connection. */
const serialAt = (address: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const [host, port] = address.split(':') as [string, string];
    const socket = connect({ host, port: Number(port), rejectUnauthorized: false, ALPNProtocols: ['h2'] }, () => {
      resolve(socket.getPeerCertificate().serialNumber);
      socket.destroy();
    });
    socket.on('error', reject);
  });

const agent = { role: 'agent', name: 'n1' } as const;

describe('TLS between processes', () => {
  // Plan: two of one cluster talk; then every kind of wrong server is refused with words that say whose certificate it is, and why.
  it('believes servers of its cluster, and says of others what is wrong', async () => {
    const client = sourceOf({ role: 'agent', name: 'n2' });
    const address = await serve(sourceOf(agent));
    expect(await ping(peerTo(address, client))).toMatchObject({ node: 'n1' });
    const anywhere = await serve(sourceOf({ role: 'control-plane', name: 'cp1', hosts: ['elsewhere.example'] }));
    expect(await ping(peerTo(anywhere, client))).toMatchObject({ node: 'n1' });

    const long = Date.now() - 2 * DAY_MS;
    const cases: [SourceWish, RegExp][] = [
      [
        { ...agent, endsInMs: -DAY_MS, clock: at(long) },
        /that of spiffe:\/\/spec\/agent\/n1 expired at \d{4}-\d\d-\d\dT.*Z \(at 127\.0\.0\.1:\d+\)/,
      ],
      [{ ...agent, of: new SpecAuthority(folder) }, /not of an authority in --tls-ca/],
      [{ ...agent, hosts: ['elsewhere.example'] }, /IP: 127\.0\.0\.1 is not in the cert's list/],
      [{ ...agent, cluster: 'other' }, /spiffe:\/\/other\/agent\/n1 is not of cluster spec/],
      [{ role: 'client', name: 'n1' }, /not one of an agent, a control plane or a router/],
    ];
    for (const [wish, words] of cases) {
      const source = sourceOf(wish);
      const error = await failure(ping(peerTo(await serve(source, wish.clock), client)));
      expect(error).toMatchObject({ code: 'UNAVAILABLE', field: 'certificate', message: expect.stringMatching(words) });
      expect(error.remedy).toContain('--tls-cert');
    }
  });

  // Plan: a client whose own certificate has run out is told so, with the file, before it connects anywhere.
  it('says of an own certificate that has expired which file and when', async () => {
    let now = Date.now() - 2 * DAY_MS;
    const clock = { ...systemClock, wallMs: () => now };
    const client = sourceOf({ ...agent, endsInMs: -DAY_MS, clock, place: 'gone' });
    const peer = tlsTransport(client, clock).peer(await serve(sourceOf(agent)));
    closers.push(() => peer.close());
    now = Date.now();
    const error = await failure(ping(peer));
    expect(error).toMatchObject({ code: 'UNAVAILABLE', field: 'certificate' });
    expect(error.message).toMatch(/own certificate: \S*gone\/tls\.crt expired at \d{4}-/);
  });

  // Plan: a node is asked whether it lives by one that may ask, one that may not, one whose own certificate is over, and when nobody is there.
  it("takes trouble with one's own certificate for no sign of death", async () => {
    let now = Date.now() - 2 * DAY_MS;
    const expiring = { ...systemClock, wallMs: () => now };
    const expired = tlsTransport(sourceOf({ ...agent, endsInMs: -DAY_MS, clock: expiring }), expiring);
    now = Date.now();
    const by = (role: PeerRole) => tlsTransport(sourceOf({ role, name: 'x' }), systemClock);
    const target = { node: 'n1', incarnation: 'i', address: await serve(sourceOf(agent)) };
    const ask = (transport: Transport) => pingNode(target, { timeoutMs: 10_000, clock: systemClock, transport });
    expect(await ask(by('control-plane'))).toBe('answered');
    expect(await ask(by('client'))).toBe('answered');
    expect(await ask(expired)).toBe('unsure');
    for (const close of closers.splice(0)) close();
    expect(await ask(by('control-plane'))).toBe('refused');
  });

  // Plan: new files while a stream is open: the stream goes on, new connections see the new certificate, and so does a link turned as Kubernetes turns it.
  it('shows a new certificate to new connections, and breaks no stream', async () => {
    const logger = new Recorder();
    const place = newPlace();
    const source = sourceOf({ ...agent, place, logger });
    const address = await serve(source);
    const client = sourceOf({ role: 'agent', name: 'n2', place: 'client-live' });
    const stream = peerTo(address, client).transfer.replicate();
    stream.on('error', () => undefined);
    const echoed = () => new Promise((resolve) => stream.once('data', resolve));
    const first = echoed();
    stream.write({ hello: { node: 'n2', incarnation: 'i' } });
    await first;
    const before = await serialAt(address);

    authority.write(place, authority.issue(agent));
    authority.write('client-live', authority.issue({ role: 'agent', name: 'n2' }));
    source.look();
    client.look();
    expect(logger.events).toEqual(['credentials-read']);
    const after = await serialAt(address);
    expect(after).not.toBe(before);
    const second = echoed();
    stream.write({ beat: { echoMs: 1, sentMs: 2 } });
    await second;
    expect(await ping(peerTo(address, client))).toMatchObject({ node: 'n1' });
    stream.cancel();
  });

  // Plan: a folder of links, as a mounted secret is; the link of the folder is turned to another version.
  it('follows the links of a mounted secret', () => {
    const mount = join(folder, 'mount');
    mkdirSync(mount);
    const version = (name: string) => authority.write(`mount/${name}`, authority.issue(agent));
    version('..1');
    symlinkSync('..1', join(mount, '..data'));
    const names = ['tls.crt', 'tls.key', 'ca.crt'] as const;
    for (const name of names) symlinkSync(join('..data', name), join(mount, name));
    const [cert, key, ca] = names.map((name) => join(mount, name)) as [string, string, string];
    const logger = new Recorder();
    const source = new CredentialSource({ cert, key, ca }, { clock: systemClock, logger });
    const before = source.current.own!.cert;
    source.look();
    expect(logger.events).toEqual([]);
    version('..2');
    symlinkSync('..2', join(mount, '..new'));
    renameSync(join(mount, '..new'), join(mount, '..data'));
    source.look();
    expect(logger.events).toEqual(['credentials-read']);
    expect(source.current.own!.cert.equals(before)).toBe(false);
  });

  // Plan: half-written, mixed, expired and foreign files, one after the other; each is refused once with a line and the good ones stay.
  it('keeps the old credentials while the new ones are of no use', () => {
    const logger = new Recorder();
    const place = newPlace();
    const source = sourceOf({ ...agent, place, logger });
    const { cert, key, ca } = source.files as CredentialFiles;
    const good = source.current;
    const next = authority.issue(agent);
    const steps: [() => void, RegExp][] = [
      [() => writeFileSync(cert, next.certificate), /--tls-key: .* is not the key of/],
      [() => writeFileSync(key, next.key.slice(0, 60)), /--tls-key: .* is no private key/],
      [() => writeFileSync(cert, next.certificate.slice(0, 200)), /--tls-cert: .* is no certificate/],
      [() => authority.write(place, authority.issue({ ...agent, endsInMs: -1_000 })), /--tls-cert: .* expired at/],
      [() => authority.write(place, authority.issue({ role: 'agent', name: 'n2' })), /certificate of another/],
      [() => authority.write(place, next, 'nothing'), /--tls-ca: .* holds no certificate/],
      [() => rmSync(ca), /--tls-ca: .* cannot be read: ENOENT/],
    ];
    for (const [damage, words] of steps) {
      damage();
      source.look();
      source.look();
      expect(source.current).toBe(good);
      expect(logger.lines.at(-1)).toMatchObject({ level: 'warn', event: 'credentials-refused' });
      expect(CadastreError.from(logger.lines.at(-1)!.error).message).toMatch(words);
    }
    expect(logger.lines).toHaveLength(steps.length);
    authority.write(place, next);
    source.look();
    expect(logger.events.at(-1)).toBe('credentials-read');
    expect(source.current.own!.cert.toString()).toBe(next.certificate);
  });

  // Plan: time passes over a certificate of a day; there is one line when it is late, one when it is over, none in between.
  it('says once that a certificate is about to expire, and once that it has', () => {
    const logger = new Recorder();
    let now = Date.now();
    const clock = { ...systemClock, wallMs: () => now };
    const source = sourceOf({ ...agent, clock, logger });
    for (const [hours, events] of [
      [1, []],
      [21, ['certificate-late']],
      [23, ['certificate-late']],
      [25, ['certificate-late', 'certificate-expired']],
      [30, ['certificate-late', 'certificate-expired']],
    ] as const) {
      now = Date.now() + hours * 3_600_000;
      source.look();
      expect(logger.events).toEqual(events);
    }
  });

  // Plan: what a start is given wrong ends it with the flag and the file; a server needs an identity.
  it('refuses to begin with files of no use', async () => {
    const files = authority.write('broken', authority.issue(agent));
    writeFileSync(files.key, 'x');
    const begin = (given: CredentialFiles) =>
      new CredentialSource(given, { clock: systemClock, logger: new Recorder() });
    expect(() => begin(files)).toThrow(/--tls-key: .*broken\/tls\.key is no private key \(PEM\)/);
    expect(() => begin({ ...files, cert: '/nowhere' })).toThrow(/--tls-cert: \/nowhere cannot be read: ENOENT/);
    const nameless = sourceOf({ role: 'agent', name: 'n 1' });
    expect(() => tlsTransport(nameless, systemClock).server()).toThrow(/does not say who this is/);
  });
});

import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { readCredentials } from '@cadastre/contracts';
import { run } from '../program.js';
import { FakeIo } from '../testing/fake-io.js';
import type { CertificateView } from './cert-files.js';
import { resolveTls } from './credentials.js';

const folder = mkdtempSync(join(tmpdir(), 'cadastre-cert-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const cert = async (...argv: string[]): Promise<FakeIo> => {
  const io = new FakeIo(folder);
  await run(['--json', 'cert', ...argv], io);
  return io;
};

describe('cadastre cert', () => {
  // Plan: an authority, a certificate of it for an agent, and what the programs read of the files; issued again, it is another one.
  it('makes an authority and issues what programs take', async () => {
    const ca = (await cert('ca', '--out', 'ca', '--cluster', 'prod-eu', '--days', '10')).json<CertificateView>();
    expect(ca).toMatchObject({ authority: true, identity: '', daysLeft: expect.any(Number) });
    expect(statSync(join(folder, 'ca/ca.key')).mode & 0o077).toBe(0);
    const issue = ['issue', '--role', 'agent', '--name', 'n1', '--out', 'n1', '--host', 'n1.example', '10.0.0.1'];
    const first = (await cert(...issue)).json<CertificateView>();
    expect(first).toMatchObject({
      identity: 'spiffe://prod-eu/agent/n1',
      names: 'URI:spiffe://prod-eu/agent/n1, DNS:n1.example, IP Address:10.0.0.1',
      authority: false,
    });
    const files = { cert: join(folder, 'n1/tls.crt'), key: join(folder, 'n1/tls.key'), ca: join(folder, 'n1/ca.crt') };
    expect(statSync(files.key).mode & 0o077).toBe(0);
    expect(readCredentials(files, Date.now()).own?.identity).toEqual({ cluster: 'prod-eu', role: 'agent', name: 'n1' });
    expect((await cert(...issue)).json<CertificateView>().serial).not.toBe(first.serial);
    expect((await cert('show', 'n1/tls.crt')).json<CertificateView>()).toMatchObject({
      identity: 'spiffe://prod-eu/agent/n1',
    });
    const etcd = await cert('issue', '--role', 'etcd', '--name', 'm0', '--out', 'm0');
    expect(etcd.json<CertificateView>()).toMatchObject({ identity: '', subject: 'CN=etcd m0' });
  });

  // Plan: each wrong line is refused by the flag that is at fault, and an authority is never written over.
  it.each([
    ['a second authority', ['ca', '--out', 'ca'], '--out'],
    ['a cluster that no URI can hold', ['ca', '--out', 'b', '--cluster', 'A B'], '--cluster'],
    ['no time at all', ['ca', '--out', 'b', '--days', '0'], '--days'],
    ['an unknown role', ['issue', '--role', 'root', '--name', 'n1', '--out', 'x'], '--role'],
    ['a name that no URI can hold', ['issue', '--role', 'client', '--name', 'a/b', '--out', 'x'], '--name'],
    [
      'an authority that is not there',
      ['issue', '--role', 'client', '--name', 'a', '--out', 'x', '--ca', 'no'],
      '--ca',
    ],
    ['a file that is not there', ['show', 'none.crt'], 'file'],
  ])('refuses %s', async (_what, argv, field) => {
    const { err, out } = await cert(...argv);
    expect(out).toBe('');
    expect(JSON.parse(err)).toMatchObject({ error: expect.objectContaining({ field }) });
  });
});

describe('the credentials of the command line', () => {
  const of = (options: object, env = {}) => resolveTls(new FakeIo(folder, '', env), options);

  // Plan: flags over environment over the cluster of the folder; half of them is refused; another server is not shown this cluster's.
  it('come from flags, environment and the cluster file', () => {
    expect(of({})).toBeUndefined();
    expect(of({ tlsCa: 'a' }, { CADASTRE_TLS_CA: 'b' })).toEqual({ ca: join(folder, 'a') });
    expect(of({ tlsCert: 'c', tlsKey: 'k' }, { CADASTRE_TLS_CA: '/b' })).toEqual({
      cert: join(folder, 'c'),
      key: join(folder, 'k'),
      ca: '/b',
    });
    expect(() => of({ tlsCert: 'c', tlsKey: 'k' })).toThrow(/--tls-ca/);
    expect(() => of({ tlsCert: 'c', tlsCa: 'a' })).toThrow(/--tls-key/);
    expect(() => of({ tlsKey: 'k', tlsCa: 'a' })).toThrow(/--tls-cert/);
    const known = { cert: '/c', key: '/k', ca: '/a' };
    const cluster = { version: 1, socket: '', etcd: { endpoints: [] }, controlPlanes: [], agents: [], tls: known };
    writeCluster(cluster);
    expect(of({})).toEqual(known);
    expect(of({ server: 'h:1' })).toBeUndefined();
    expect(of({}, { CADASTRE_SERVER: 'h:1' })).toBeUndefined();
  });
});

const writeCluster = (cluster: object): void => {
  mkdirSync(join(folder, '.cadastre'));
  writeFileSync(join(folder, '.cadastre/cluster.json'), JSON.stringify(cluster));
};

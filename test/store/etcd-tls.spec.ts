import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { CredentialFiles } from '@cadastre/contracts';
import type { EtcdTls } from '@cadastre/store';
import { EtcdStore, op } from '@cadastre/store';
import type { EtcdCluster } from '@cadastre/testkit';
import { startEtcd, TestAuthority } from '@cadastre/testkit';
import { until, WatchRecorder } from '../../libs/store/src/testing/watch-recorder.js';

const folder = mkdtempSync(join(tmpdir(), 'cadastre-etcd-tls-'));
const authority = new TestAuthority(join(folder, 'own'));
const stranger = new TestAuthority(join(folder, 'other'));
let etcd: EtcdCluster;

const tlsOf = ({ cert, key }: CredentialFiles, ca = authority.issued.certificate): EtcdTls => ({
  rootCertificate: Buffer.from(ca),
  certChain: readFileSync(cert),
  privateKey: readFileSync(key),
});

const storeWith = (tls: EtcdTls): EtcdStore =>
  new EtcdStore({ endpoints: etcd.endpoints.map((e) => `https://${e}`), tls, deadlineMs: 5_000 });

beforeAll(async () => {
  etcd = await startEtcd({ tls: authority.files('etcd', 'm0') });
}, 60_000);
afterAll(async () => {
  await etcd.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe('etcd by TLS', () => {
  // Plan: a watch is open while the credentials are exchanged; it goes on, and calls go over connections of the new ones.
  it('goes on while certificates are renewed', async () => {
    const store = storeWith(tlsOf(authority.files('etcd', 'client')));
    try {
      const { state, watch } = new WatchRecorder(store, 'a/');
      const put = (key: string) => store.txn({ compare: [], success: [op.put(key, Buffer.from('x'))] });
      await put('a/1');
      await until('the first event', () => state.has('a/1'));
      authority.renewAll();
      store.renewTls(tlsOf(authority.files('etcd', 'client')));
      await put('a/2');
      await until('the event after', () => state.has('a/2'));
      expect((await store.range('a/')).kvs.map(({ key }) => key)).toEqual(['a/1', 'a/2']);
      watch.close();
    } finally {
      store.close();
    }
  });

  // Plan: certificates of another authority, on either side, are refused; nothing hangs.
  it('refuses strangers on both sides', async () => {
    const foreign = stranger.files('etcd', 'client');
    for (const tls of [tlsOf(foreign), tlsOf(authority.files('etcd', 'client'), stranger.issued.certificate)]) {
      const store = storeWith(tls);
      try {
        await expect(store.status({ deadlineMs: 700 })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      } finally {
        store.close();
      }
    }
  });
});

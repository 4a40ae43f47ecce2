import { describe, expect, it } from '@jest/globals';
import type { EtcdTlsSettings } from './etcd-tls.js';
import { etcdFilesOf } from './etcd-tls.js';

const OWN = { tlsCert: 'c', tlsKey: 'k', tlsCa: 'a', insecure: false };
const ETCD = { etcdTlsCert: 'ec', etcdTlsKey: 'ek', etcdTlsCa: 'ea' };
const of = (settings: Partial<EtcdTlsSettings>) =>
  etcdFilesOf({ etcd: ['https://e:1'], insecure: false, etcdInsecure: false, ...settings });

describe('the credentials for etcd', () => {
  // Plan: which files are shown and believed, by what is given.
  it.each([
    ['its own', { ...OWN, ...ETCD }, { cert: 'ec', key: 'ek', ca: 'ea' }],
    ['those of everything else', OWN, { cert: 'c', key: 'k', ca: 'a' }],
    ['another authority alone', { ...OWN, etcdTlsCa: 'ea' }, { cert: 'c', key: 'k', ca: 'ea' }],
    ['TLS for etcd alone', { insecure: true, ...ETCD }, { cert: 'ec', key: 'ek', ca: 'ea' }],
    ['an authority and no certificate', { insecure: true, etcdTlsCa: 'ea' }, { ca: 'ea' }],
    ['plaintext with all else', { etcd: ['http://e:1'], insecure: true }, undefined],
    ['plaintext by name', { ...OWN, etcd: ['e:1'], etcdInsecure: true }, undefined],
  ])('are %s', (_what, settings, files) => expect(of(settings)).toEqual(files));

  // Plan: plaintext that nobody asked for, mixtures and halves are refused by the flag.
  it.each([
    ['plaintext beside TLS', { ...OWN, etcd: ['http://e:1'] }, '--etcd'],
    ['files for plaintext', { ...OWN, ...ETCD, etcd: ['http://e:1'] }, '--etcd'],
    ['both kinds of endpoints', { ...OWN, etcd: ['https://e:1', 'http://e:2'] }, '--etcd'],
    ['a certificate without its key', { ...OWN, etcdTlsCert: 'ec' }, '--etcd-tls-key'],
    ['a key without its certificate', { ...OWN, etcdTlsKey: 'ek' }, '--etcd-tls-cert'],
    ['nobody to believe', { insecure: true }, '--etcd-tls-ca'],
  ])('are refused with %s', (_what, settings, field) =>
    expect(() => of(settings)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT', field })),
  );
});

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { createAuthority, issueCertificate } from '@cadastre/certificates';
import { grpcTransport } from '@cadastre/contracts';
import type { PeerRole } from '@cadastre/core';
import { silentLogger, systemClock } from '@cadastre/runtime';
import { openTransport, tlsFilesOf } from './tls-settings.js';

const folder = mkdtempSync(join(tmpdir(), 'cadastre-tls-settings-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const around = { clock: systemClock, logger: silentLogger };

const settingsOf = (role: PeerRole, name: string) => {
  const term = { notBeforeMs: Date.now() - 60_000, notAfterMs: Date.now() + 3_600_000 };
  const authority = createAuthority('spec', term);
  const identity = { cluster: 'spec', role, name };
  const issued = issueCertificate(authority, { ...term, name, identity, hosts: ['localhost'] });
  const at = (file: string, text: string): string => {
    const path = join(folder, `${role}-${name}-${file}`);
    writeFileSync(path, text);
    return path;
  };
  return {
    tlsCert: at('crt', issued.certificate),
    tlsKey: at('key', issued.key),
    tlsCa: at('ca', authority.certificate),
    insecure: false,
  };
};

describe('the settings of TLS', () => {
  // Plan: all files or the word for plaintext, and nothing between; each refusal names the flag.
  it('are three files, or --insecure', () => {
    const all = { tlsCert: 'c', tlsKey: 'k', tlsCa: 'a' };
    expect(tlsFilesOf({ ...all, insecure: false })).toEqual({ cert: 'c', key: 'k', ca: 'a' });
    expect(tlsFilesOf({ insecure: true })).toBeUndefined();
    for (const [settings, field] of [
      [{ insecure: false }, '--tls-cert'],
      [{ tlsCert: 'c', tlsCa: 'a', insecure: false }, '--tls-key'],
      [{ tlsCert: 'c', tlsKey: 'k', insecure: false }, '--tls-ca'],
      [{ ...all, insecure: true }, '--tls-cert'],
    ] as const)
      expect(() => tlsFilesOf(settings)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT', field }));
  });

  // Plan: a certificate of this very program is taken; one of another role or name is refused with the file and what is needed.
  it('are refused with the certificate of another', () => {
    const settings = settingsOf('agent', 'n1');
    const { transport, credentials } = openTransport(settings, { role: 'agent', name: 'n1' }, around);
    credentials?.stop();
    expect(transport).not.toBe(grpcTransport);
    expect(credentials?.current.own?.identity).toEqual({ cluster: 'spec', role: 'agent', name: 'n1' });
    for (const me of [{ role: 'agent', name: 'n2' }, { role: 'router' }] as const)
      expect(() => openTransport(settings, me, around)).toThrow(
        expect.objectContaining({
          code: 'FAILED_PRECONDITION',
          field: '--tls-cert',
          message: expect.stringMatching(
            /agent-n1-crt is that of agent n1, and spiffe:\/\/CLUSTER\/(agent\/n2|router\/NAME)/,
          ),
        }),
      );
    expect(openTransport({ insecure: true }, { role: 'router' }, around)).toEqual({
      transport: grpcTransport,
      credentials: undefined,
    });
  });
});

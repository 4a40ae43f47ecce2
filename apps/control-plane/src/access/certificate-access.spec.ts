import { describe, expect, it } from '@jest/globals';
import type { Grant } from '@cadastre/core';
import { CadastreError, identityUri } from '@cadastre/core';
import { systemClock } from '@cadastre/runtime';
import type { PeerRole } from '@cadastre/core';
import { parseAccessConfig } from './access-config.js';
import { inNameOfCaller, withTokenOrCertificate } from './caller-scope.js';
import type { Guarded } from './identify.js';
import { Identity } from './identify.js';
import type { Principal } from './principal.js';

const { certificates } = parseAccessConfig('{"certificates": {"deploy": ["operator:orders"], "nobody": []}}', 'test');
const anna: Principal = {
  subject: 'local:anna',
  name: 'anna',
  source: 'local',
  grants: [{ role: 'admin' }],
  authenticatedMs: 0,
};
const guarded = { certificates, proveAgainMs: 1, bearers: { principalOf: async () => anna } } as unknown as Guarded;
const identity = new Identity({ operations: {} as never, clock: systemClock, guarded });

const peer = (role: PeerRole, name: string) => ({ cluster: 'c', role, name });
const callOf = (who: ReturnType<typeof peer> | undefined, authorization?: string) => ({
  metadata: { get: () => (authorization === undefined ? [] : [authorization]) },
  getAuthContext: () =>
    who ? { transportSecurityType: 'ssl', sslPeerCertificate: { subjectaltname: `URI:${identityUri(who)}` } } : {},
  emit: () => true,
});

const outcomeOf = (handler: unknown, call: object): Promise<string> =>
  new Promise((resolve) => {
    const answer = (error: unknown) => resolve(error ? 'refused' : 'answered');
    (handler as (call: object, callback: (error: unknown) => void) => void)(call, answer);
  });

describe('certificates and sign-in', () => {
  // Plan: a mapped certificate with role operator acts under its own name; any other kind, and any other name, is nobody; a token wins.
  it('let an operator certificate act where the access file says so', async () => {
    const grants: readonly Grant[] = [{ role: 'operator', keyspaces: ['orders'] }];
    expect(await identity.ofCall(undefined, peer('operator', 'deploy'))).toMatchObject({
      via: 'certificate',
      principal: { subject: 'certificate:deploy', source: 'certificate', grants },
    });
    for (const other of [peer('operator', 'other'), peer('agent', 'deploy'), peer('client', 'deploy'), undefined])
      expect(await identity.ofCall(undefined, other)).toBeUndefined();
    expect(await identity.ofCall(undefined, peer('operator', 'constructor'))).toBeUndefined();
    expect((await identity.ofCall('Bearer t', peer('operator', 'deploy')))?.principal).toBe(anna);
  });

  // Plan: both guards of handlers, by every way to come; a certificate without a mapping opens the map and no verb.
  it('ask persons for a token, and programs for none where the table lets them in', async () => {
    const handler = (_call: unknown, callback: (error: unknown) => void) => callback(null);
    const verb = inNameOfCaller({ handler }, identity).handler;
    const map = withTokenOrCertificate(handler, identity);
    for (const [call, asVerb, asMap] of [
      [callOf(undefined), 'refused', 'refused'],
      [callOf(undefined, 'Bearer t'), 'answered', 'answered'],
      [callOf(peer('operator', 'deploy')), 'answered', 'answered'],
      [callOf(peer('operator', 'nobody')), 'refused', 'answered'],
      [callOf(peer('client', 'shop')), 'refused', 'answered'],
    ] as const) {
      expect(await outcomeOf(verb, call)).toBe(asVerb);
      expect(await outcomeOf(map, call)).toBe(asMap);
    }
  });

  // Plan: roles that are none are refused when the file is read.
  it('refuses roles that there are not', () => {
    expect(() => parseAccessConfig('{"certificates": {"deploy": ["root"]}}', 'f')).toThrow(CadastreError);
  });
});

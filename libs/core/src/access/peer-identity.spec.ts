import { describe, expect, it } from '@jest/globals';
import { identityOfSan, identityUri, parseIdentityUri } from './peer-identity.js';

describe('the identity in a certificate', () => {
  // Plan: text to identity and back; what is not exactly of our form is nobody.
  it('is a SPIFFE URI of three parts', () => {
    const n1 = { cluster: 'prod-eu', role: 'agent', name: 'n1' } as const;
    expect(parseIdentityUri(identityUri(n1))).toEqual(n1);
    for (const other of [
      'spiffe://prod-eu/agent/',
      'spiffe://prod-eu/agent/n1/x',
      'spiffe://prod-eu/root/n1',
      'spiffe://Prod/agent/n1',
      'https://prod-eu/agent/n1',
      ' spiffe://prod-eu/agent/n1',
      'spiffe://prod-eu/agent/n1\n',
      'spiffe://prod-eu/agent/..%2f',
    ])
      expect([other, parseIdentityUri(other)]).toEqual([other, undefined]);
  });

  // Plan: SANs as node prints them, with names that try to smuggle a URI in, and with two of ours.
  it.each([
    ['DNS:a.b, URI:spiffe://c/agent/n1, IP Address:127.0.0.1', 'n1'],
    ['URI:https://elsewhere/x, URI:spiffe://c/agent/n1', 'n1'],
    ['DNS:"a, URI:spiffe://c/agent/n1"', undefined],
    ['DNS:"a\\", URI:spiffe://c/agent/n1, \\"b"', undefined],
    ['URI:spiffe://c/agent/n1, URI:spiffe://c/operator/anna', undefined],
    ['DNS:a.b', undefined],
    [undefined, undefined],
  ])('%j is %j', (san, name) => expect(identityOfSan(san)?.name).toBe(name));
});

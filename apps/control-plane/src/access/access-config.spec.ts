import { describe, expect, it } from '@jest/globals';
import { parseAccessConfig } from './access-config.js';

const jwt = {
  issuer: 'https://id.example',
  audience: 'cadastre',
  jwks: 'https://id.example/jwks',
  roles: { ci: ['viewer'] },
};
const oidc = {
  issuer: 'https://id.example',
  clientId: 'page',
  redirectUri: 'https://cadastre.example/auth/oidc/callback',
  roles: { dba: ['approver'] },
};

describe('the access file', () => {
  // Plan: what would let somebody on the way, or with a weaker key, decide who is who; the error names file and field.
  it.each<[string, object, string]>([
    ['keys over plain http', { jwt: { ...jwt, jwks: 'http://id.example/jwks' } }, 'jwt.jwks'],
    ['keys over plain HTTP', { jwt: { ...jwt, jwks: 'HTTP://id.example/jwks' } }, 'jwt.jwks'],
    ['a provider over plain http', { oidc: { ...oidc, issuer: 'http://id.example' } }, 'oidc.issuer'],
    ['a way back over plain http', { oidc: { ...oidc, redirectUri: 'http://cadastre.example/' } }, 'oidc.redirectUri'],
    ['signatures with a shared secret', { jwt: { ...jwt, algorithms: ['HS256'] } }, 'jwt.algorithms'],
    ['no signature', { jwt: { ...jwt, algorithms: ['none'] } }, 'jwt.algorithms'],
    ['a role that is none', { jwt: { ...jwt, roles: { ci: ['root'] } } }, 'jwt.roles.ci'],
    ['sessions of a week', { sessionHours: 168 }, 'sessionHours'],
    ['proofs that never age', { proveAgainMinutes: 0 }, 'proveAgainMinutes'],
    ['a field that is misspelt', { sesionHours: 8 }, 'sesionHours'],
  ])('refuses %s', (_what, config, field) => {
    expect(() => parseAccessConfig(JSON.stringify(config), 'access.json')).toThrow(field);
  });

  // Plan: keys from a file, over https and from this machine.
  it.each(['jwks.json', '/etc/cadastre/jwks.json', jwt.jwks, 'http://127.0.0.1:7000/jwks'])(
    'takes keys from %s',
    (jwks) => {
      expect(parseAccessConfig(JSON.stringify({ jwt: { ...jwt, jwks } }), 'access.json').jwt?.jwks).toBe(jwks);
    },
  );
});

import type { Expected } from './refusal.js';
import { refused } from './refusal.js';
import { JSON_TYPE, MIB } from './scene.js';

const act = { actor: 'test' };
const plain = (code: string, remedy: RegExp): Expected => refused(code, '', remedy);
const NO_ROUTE = plain('NOT_FOUND', /openapi/);
const FOREIGN = refused('PERMISSION_DENIED', 'origin', /page that this server gives/);

/** Path, body, headers, status of the reply. */
export const BAD_POSTS: readonly [string, string, unknown, Record<string, string>, number, Expected][] = [
  ['broken JSON', '/api/v1/plans', '{"actor":', JSON_TYPE, 400, plain('INVALID_ARGUMENT', /well-formed JSON/)],
  ['JSON that is no object', '/api/v1/plans', '[1]', JSON_TYPE, 400, refused('INVALID_ARGUMENT', 'body', /openapi/)],
  [
    'a form',
    '/api/v1/plans',
    'actor=a',
    { 'content-type': 'application/x-www-form-urlencoded' },
    415,
    plain('INVALID_ARGUMENT', /application\/json/),
  ],
  [
    'plain text',
    '/api/v1/plans',
    '{"actor":"a"}',
    { 'content-type': 'text/plain' },
    415,
    plain('INVALID_ARGUMENT', /application\/json/),
  ],
  ['a foreign page', '/api/v1/plans', act, { ...JSON_TYPE, origin: 'https://evil.example' }, 403, FOREIGN],
  ['a page without an origin', '/api/v1/nodes/n4/drain', act, { ...JSON_TYPE, origin: 'null' }, 403, FOREIGN],
  ['2 MiB', '/api/v1/plans', { actor: 'a'.repeat(2 * MIB) }, JSON_TYPE, 413, plain('RESOURCE_EXHAUSTED', /smaller/)],
  ['an unknown route', '/api/v1/nope', act, JSON_TYPE, 404, NO_ROUTE],
  [
    'an unknown field',
    '/api/v1/nodes/n4/drain',
    { ...act, force: true },
    JSON_TYPE,
    400,
    refused('INVALID_ARGUMENT', 'force', /leave it out/),
  ],
  [
    '__proto__',
    '/api/v1/nodes/n4/drain',
    '{"actor":"a","__proto__":{"undo":true}}',
    JSON_TYPE,
    400,
    refused('INVALID_ARGUMENT', '__proto__', /leave it out/),
  ],
  [
    'nobody who acts',
    '/api/v1/nodes/n4/drain',
    { actor: '  ' },
    JSON_TYPE,
    400,
    refused('INVALID_ARGUMENT', 'actor', /say who acts/),
  ],
  ['an unknown node', '/api/v1/nodes/n9/drain', act, JSON_TYPE, 404, refused('NOT_FOUND', 'id', /list the nodes/)],
  [
    'an unknown keyspace',
    '/api/v1/plans',
    { ...act, keyspaces: ['nope'] },
    JSON_TYPE,
    404,
    refused('NOT_FOUND', 'keyspace', /pkgs/),
  ],
];

/** Method, path, status of the reply. */
export const BAD_ROUTES: readonly [string, string, number, Expected][] = [
  ['GET', '/api/v1/plans/latest/pause?actor=test', 404, NO_ROUTE],
  ['GET', '/api/v1/plans/latest/approve?actor=test', 404, NO_ROUTE],
  ['DELETE', '/api/v1/keyspaces/pkgs', 404, NO_ROUTE],
  ['PUT', '/api/v1/nodes/n4', 404, NO_ROUTE],
  ['GET', '/..%2f..%2fetc%2fpasswd', 404, NO_ROUTE],
  ['GET', '/api/v1/keyspaces/%ff', 400, plain('INVALID_ARGUMENT', /well-formed/)],
  ['GET', '/api/v1/keyspaces/pkgs/partitions?limit=0', 400, refused('INVALID_ARGUMENT', 'limit', /openapi/)],
  ['GET', '/api/v1/keyspaces/pkgs/partitions?limit=1000000000', 400, refused('INVALID_ARGUMENT', 'limit', /openapi/)],
  ['GET', '/api/v1/keyspaces/pkgs/partitions?from=-1', 400, refused('INVALID_ARGUMENT', 'from', /openapi/)],
  ['GET', '/api/v1/keyspaces/pkgs/partitions?form=1', 400, refused('INVALID_ARGUMENT', 'form', /leave it out/)],
];

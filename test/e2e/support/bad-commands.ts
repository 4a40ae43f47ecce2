import type { Expected } from './refusal.js';
import { refused } from './refusal.js';
import { KEYSPACE } from './scene.js';

export const BAD_COMMANDS: readonly [string, string[], Expected][] = [
  ['an unknown flag', ['status', '--colour', 'red'], refused('INVALID_ARGUMENT', '--colour', /--help/)],
  ['an unknown command', ['explode'], refused('INVALID_ARGUMENT', 'explode', /--help/)],
  ['an unknown subcommand', ['plan', 'explode'], refused('INVALID_ARGUMENT', 'explode', /--help/)],
  ['no command', [], refused('INVALID_ARGUMENT', 'command', /--help/)],
  ['a missing argument', ['kv', 'get', KEYSPACE], refused('INVALID_ARGUMENT', 'key', /--help/)],
  ['one argument too many', ['kv', 'get', KEYSPACE, 'a', 'b'], refused('INVALID_ARGUMENT', 'arguments', /--help/)],
  [
    'a server where nobody listens',
    ['status', '--server', '127.0.0.1:1'],
    refused('UNAVAILABLE', 'server', /--server/),
  ],
  ['a server that is no address', ['status', '--server', 'here'], refused('INVALID_ARGUMENT', '--server', /host:port/)],
  ['an empty key', ['kv', 'put', KEYSPACE, '', 'x'], refused('INVALID_ARGUMENT', 'key', /at least 1 byte/)],
  ['a key without a value', ['kv', 'get', KEYSPACE, 'nope'], refused('NOT_FOUND', 'key', /kv scan/)],
  ['a scan of 0', ['kv', 'scan', KEYSPACE, '--limit', '0'], refused('INVALID_ARGUMENT', '--limit', /whole number/)],
  ['a file that is not there', ['kv', 'import', KEYSPACE, 'nope.jsonl'], refused('INVALID_ARGUMENT', 'file', /name/)],
  ['an unknown node', ['node', 'drain', 'n9'], refused('NOT_FOUND', 'id', /list the nodes/)],
];

import type { Expected } from './refusal.js';
import { refused } from './refusal.js';

export const hello = (node: object, over: object = {}) => ({
  node: { id: 'n9', address: '127.0.0.1:9', labels: { zone: 'a' }, weight: 1, ...node },
  capacity: {},
  incarnation: 'test',
  leaseId: '',
  ...over,
});

const ID = refused('INVALID_ARGUMENT', 'node.id', /1 to 63/);
const badIds = ['a/b', '..', 'N1', 'n'.repeat(64), '', '-n', 'n\u0000'];

/** First words of a session, as a stranger might say them. */
export const BAD_HELLOS: readonly [string, object, Expected][] = [
  ...badIds.map((id): [string, object, Expected] => [`id ${JSON.stringify(id)}`, hello({ id }), ID]),
  ['no node', { incarnation: 'x' }, refused('INVALID_ARGUMENT', 'hello.node', /who you are/)],
  ['no address', hello({ address: '' }), refused('INVALID_ARGUMENT', 'node.address', /host:port/)],
  ['port 65536', hello({ address: 'h:65536' }), refused('INVALID_ARGUMENT', 'node.address', /host:port/)],
  ['weight NaN', hello({ weight: NaN }), refused('INVALID_ARGUMENT', 'node.weight', /use 1/)],
  [
    'a label name that is markup',
    hello({ labels: { '<b>': 'a' } }),
    refused('INVALID_ARGUMENT', 'node.labels.<b>', /a-z/),
  ],
  [
    'a label of 1 KiB',
    hello({ labels: { zone: 'z'.repeat(1024) } }),
    refused('INVALID_ARGUMENT', 'node.labels.zone', /short/),
  ],
  [
    '33 labels',
    hello({ labels: Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`l${i}`, 'x'])) }),
    refused('INVALID_ARGUMENT', 'node.labels', /placement needs/),
  ],
  [
    'an incarnation that is a path',
    hello({}, { incarnation: '../x' }),
    refused('INVALID_ARGUMENT', 'incarnation', /data folder/),
  ],
  ['a lease that is none', hello({}, { leaseId: 'xyz' }), refused('INVALID_ARGUMENT', 'leaseId', /Welcome/)],
];

// mongodb-hashed.json: the bytes of every value by the `bson` package (see keys.mjs), MD5 by node:crypto, and the rule of
// BSONElementHasher::hash64 written down here. All values that MongoDB publishes in mongo/src/mongo/db/hasher_test.cpp ("test vectors for
// hashed indexes", determined on a server) and that this file's types cover are held up against it first, and are among the cases.
import { createHash } from 'node:crypto';
import { byteKeys, int4s, int8s, oracle, textKeys, uuids, write } from './keys.mjs';

const { load, version } = oracle('bson');
const { BSON, Binary, Double, Int32, Long, ObjectId, UUID } = load('bson');

const CANONICAL = { 1: 10, 2: 15, 5: 30, 7: 35, 16: 10, 18: 10 };
const whole = (value) => {
  if (Number.isNaN(value)) return 0n;
  if (value === 2 ** 63 || value < -(2 ** 63)) return -(2n ** 63n);
  return value > 2 ** 63 ? 2n ** 63n - 1n : BigInt(Math.trunc(value));
};
const hash = (value) => {
  const document = Buffer.from(BSON.serialize({ v: value }));
  const type = document[4];
  let bytes = document.subarray(7, -1);
  if (CANONICAL[type] === 10) {
    const number = type === 1 ? whole(bytes.readDoubleLE()) : type === 16 ? BigInt(bytes.readInt32LE()) : bytes.readBigInt64LE();
    bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(number);
  }
  const head = Buffer.alloc(8);
  head.writeInt32LE(CANONICAL[type], 4);
  return createHash('md5').update(head).update(bytes).digest().readBigInt64LE();
};

const make = {
  int32: (text) => new Int32(Number(text)),
  int64: (text) => Long.fromString(text),
  double: (text) => new Double(Number(text)),
  string: (hex) => Buffer.from(hex, 'hex').toString(),
  objectId: (hex) => new ObjectId(hex),
  uuid: (text) => new UUID(text),
  binary: (hex) => new Binary(Buffer.from(hex, 'hex'), 0),
};
const hex = (text) => Buffer.from(text).toString('hex');
const MAX = String(Number.MAX_VALUE);
const published = [
  ...['42', '42.123'].map((v) => ['double', v, '-944302157085130861']),
  ...[['int32', '42'], ['int64', '42']].map(([t, v]) => [t, v, '-944302157085130861']),
  ...[['int32', '0'], ['int64', '0'], ['double', '0.456'], ['double', 'NaN']].map(([t, v]) => [t, v, '4854801880128277513']),
  ...[['int32', '1'], ['int64', '1'], ['double', '1.987']].map(([t, v]) => [t, v, '5902408780260971510']),
  ...[['int32', '-1'], ['int64', '-1'], ['double', '-1.789']].map(([t, v]) => [t, v, '1140205862565771219']),
  ...['int32', 'int64', 'double'].map((t) => [t, '-2147483648', '6165898260261354870']),
  ...['int32', 'int64', 'double'].map((t) => [t, '2147483647', '1143184177162245883']),
  ['double', MAX, '921523596458303250'],
  ['int64', '9223372036854775807', '921523596458303250'],
  ['double', `-${MAX}`, '4532067210535695462'],
  ['int64', '-9223372036854775808', '4532067210535695462'],
  ['string', hex('abc'), '8478485326885698097'],
  ['string', '', '2049396243249673340'],
  ['binary', '000102030406', '7252465090394235301'],
  ['uuid', '00010203-0405-0607-0809-0a0b0c0d0e0f', '6084661258071355978'],
  ['objectId', '010203040506070809101112', '-5588663249627035708'],
  ['objectId', '000000000000000000000000', '-4293118519463489418'],
];
for (const [type, value, token] of published)
  if (String(hash(make[type](value))) !== token) throw new Error(`${type} ${value}: not the published hash`);

const more = [
  ...int4s.slice(0, 120).map((value) => ['int32', String(value)]),
  ...int8s.filter((_, i) => i % 5 === 0).map((value) => ['int64', String(value)]),
  ...[0.5, -0.5, 1e15 + 0.25, 2 ** 53, 2 ** 62, 2 ** 63, -(2 ** 63), 1e300, Infinity, -Infinity, 4294967296.75, -4294967296.75, -1e10]
    .map((value) => ['double', String(value)]),
  ...textKeys.filter((_, i) => i % 2 === 0).map((key) => ['string', hex(String(key))]),
  ...byteKeys.filter((key) => key.length === 12).map((key) => ['objectId', key.toString('hex')]),
  ...uuids.slice(0, 60).map((text) => ['uuid', text]),
  ...byteKeys.slice(-120).map((key) => ['binary', key.toString('hex')]),
].map(([type, value]) => [type, value, String(hash(make[type](value)))]);
const cases = new Map([...published, ...more].map(([type, value, token]) => [`${type} ${value}`, { key: { [type]: value }, token }]));
write('mongodb-hashed', { name: 'bson and node:crypto MD5, checked with the values of hasher_test.cpp', version }, {}, [...cases.values()]);

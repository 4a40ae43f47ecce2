// murmur3, murmur3-x64-128, elasticsearch, elasticsearch-partitioned, solr-composite from murmurhash3js-revisited; see keys.mjs.
import { byteKeys, choose, empty, oracle, textKeys, write } from './keys.mjs';

const { load, version } = oracle('murmurhash3js-revisited');
const { x86, x64 } = load('murmurhash3js-revisited');
const from = (what) => ({ name: `murmurhash3js-revisited, ${what}`, version });
const hex = (key) => key.toString('hex');
const keys = [empty, ...byteKeys];

write('murmur3', from('x86.hash32'), {}, keys.map((key) => ({ key: hex(key), token: String(x86.hash32([...key])) })));
write('murmur3-x64-128', from('x64.hash128'), {},
  keys.map((key) => ({ key: hex(key), token: BigInt(`0x${x64.hash128([...key])}`).toString() })));

// Elasticsearch: the hash is Murmur3HashFunction's, murmur3_x86_32 over UTF-16LE; the rest is IndexRouting's arithmetic, in bigints.
// The values of Murmur3HashFunctionTests are held up against it first. Ids are never empty, and text.
const hashOf = (text) => BigInt.asIntN(32, BigInt(x86.hash32([...Buffer.from(text, 'utf16le')])));
const published = { hell: 0x5a0cb7c3, hello: 0xd7c31989, 'hello w': 0x22ab2984, 'hello wo': 0xdf0ca123, 'hello wor': 0xe7744d61,
  'The quick brown fox jumps over the lazy dog': 0xe07db09c, 'The quick brown fox jumps over the lazy cog': 0x4e63d2ad };
for (const [text, value] of Object.entries(published))
  if (hashOf(text) !== BigInt.asIntN(32, BigInt(value))) throw new Error(`${text}: not the published hash`);
const floorMod = (a, b) => ((a % b) + b) % b;
const SHARDS = 5;
const ROUTING_SHARDS = 640;
const shard = (hash) => Number(floorMod(BigInt.asIntN(32, hash), BigInt(ROUTING_SHARDS)) / BigInt(ROUTING_SHARDS / SHARDS));
const texts = [...Object.keys(published).map((text) => Buffer.from(text)), ...textKeys].map(String);
const parameters = { shards: SHARDS, routingShards: ROUTING_SHARDS };
write('elasticsearch', from('x86.hash32 over UTF-16LE, checked with the values of Murmur3HashFunctionTests'), parameters,
  [...new Set(texts)].map((text) => ({ key: hex(Buffer.from(text)), token: String(hashOf(text)), partition: shard(hashOf(text)) })));
const SIZE = 3;
write('elasticsearch-partitioned', from('x86.hash32 over UTF-16LE, checked with the values of Murmur3HashFunctionTests'),
  { ...parameters, routingPartitionSize: SIZE },
  textKeys.map(String).map((id, i) => {
    const routing = i % 2 ? `tenant-${i % 9}` : choose(texts);
    const token = BigInt.asIntN(32, hashOf(routing) + floorMod(hashOf(id), BigInt(SIZE)));
    return { key: { routing: hex(Buffer.from(routing)), id: hex(Buffer.from(id)) }, token: String(token), partition: shard(token) };
  }));

// Solr: CompositeIdRouter.KeyParser, as text: parts, bits and masks written down anew, in bigints. The hashes of `a` to `z` that
// TestHashPartitioner lists, and its shards of composite ids, are held up against it first.
const solr32 = (text) => BigInt(x86.hash32([...Buffer.from(text)]));
const FULL = 0xffffffffn;
const shifted = (places) => (FULL << BigInt(((places % 32) + 32) % 32)) & FULL;
const top = (bits) => (bits === 0 ? 0n : shifted(32 - bits));
const partsOf = (id) => {
  const [first, ...others] = id.split('!');
  if (others.length === 0) return [first];
  const rest = others.join('!');
  if (rest === '') return [first, ''];
  const cut = rest.indexOf('!');
  if (cut < 0) return [first, rest];
  if (cut < rest.length - 1) return [first, rest.slice(0, cut), rest.slice(cut + 1)];
  return cut === 0 ? [first, ''] : [first, rest.slice(0, cut), ''];
};
const bitsOf = (part, byDefault) => {
  const slash = part.indexOf('/');
  if (slash <= 0) return [part, byDefault];
  const digits = part.slice(slash + 1);
  if (!/^[0-9]*$/.test(digits)) return [part.slice(0, slash), -1];
  const value = Number(BigInt.asIntN(32, BigInt(digits || '0')));
  return [part.slice(0, slash), value > 32 ? -1 : value];
};
const solrToken = (id) => {
  const parts = partsOf(id);
  if (parts.length === 1) return solr32(id);
  const [first, firstBits] = bitsOf(parts[0], parts.length === 3 ? 8 : 16);
  if (parts.length === 2) {
    const low = firstBits === 32 ? 0n : FULL >> BigInt(((firstBits % 32) + 32) % 32);
    return (solr32(first) & top(firstBits)) | (solr32(parts[1]) & low);
  }
  const [second, secondBits] = bitsOf(parts[1], 8);
  const firstMask = top(firstBits);
  const secondMask = firstMask ^ top(firstBits + secondBits);
  const thirdMask = firstBits + secondBits === 32 ? 0n : FULL & ~(firstMask | secondMask);
  return (solr32(first) & firstMask) | (solr32(second) & secondMask) | (solr32(parts[2]) & thirdMask);
};
const letters = { a: '3c2569b2', b: '95de7e03', c: 'e132d65f', d: '27191473', e: '656c4367', f: '2b64883b', g: 'f18ae416', h: 'd482b2d3',
  i: '811a702b', j: 'ca745a39', k: 'cfbda5d1', l: '1d5d6a2c', m: '5ae4385c', n: 'c651d8ac', o: '68348473', p: '986fdf9a', q: 'ff8209e8',
  r: '5c9373f1', s: 'ff4acaf1', t: 'ca87df4d', u: '62203ae0', v: 'bdafcc55', w: 'ff439d1f', x: '3e9a9b1b', y: '477d9216', z: 'c1f69a17' };
const shards = { 'b!foo': 2, 'c!bar': 3, 'd!baz': 0, 'e!qux': 1, 'b/2!foo': 2, 'c/2!bar': 3, 'd/2!baz': 0, 'e/2!qux': 1, 'b/32!foo': 2,
  'c/32!bar': 3, 'd/32!baz': 0, 'e/32!qux': 1, 'foo/0!b': 2, 'foo/0!c': 3, 'foo/0!d': 0, 'foo/0!e': 1 };
for (const [id, value] of Object.entries(letters))
  if (solrToken(id) !== BigInt(`0x${value}`)) throw new Error(`${id}: not the published hash`);
for (const [id, highBits] of Object.entries(shards))
  if (solrToken(id) >> 30n !== BigInt(highBits)) throw new Error(`${id}: not the published shard`);

const odd = ['A!B!C!D', '!!!!!!', 'A!!!!B', 'A!!B!!C', 'A/59!B', 'A/8/!B/19/', 'A!B/-5', '!/130!', '!!A/1000', 'A//8!B///10!C////', '!',
  '!!', '!!!', 'a!', '!a', 'a!!', 'a!b!', '!a!', 'a/!b', '/4!b', 'a/4!', 'a/33!b', 'a/4294967300!b', 'a/2147483648!b', 'a/20!b/20!c',
  'a/32!b/8!c', 'a/16!b/16!c', 'a/0!b/0!c', 'contact!0000000KISS', 'app/2!user/4!id'];
const plain = textKeys.map(String).filter((text) => !text.includes('!'));
const word = () => choose(plain).slice(0, 30).replace(/[\ud800-\udbff]$/, '').replaceAll('/', '');
const bits = () => choose(['', '', '/4', '/8', '/1', '/0', '/16', '/31', '/32', '/33', '/x']);
const composed = Array.from({ length: 200 }, (_, i) => (i % 2 ? `${word()}${bits()}!${word()}` : `${word()}${bits()}!${word()}${bits()}!${word()}`));
const ids = [...new Set([...odd, ...Object.keys(letters), ...Object.keys(shards), ...textKeys.map(String), ...composed])];
write('solr-composite', { ...from('x86.hash32, combined as CompositeIdRouter does, checked with the values of TestHashPartitioner') }, {},
  ids.map((id) => ({ key: hex(Buffer.from(id)), token: String(BigInt.asIntN(32, solrToken(id))) })));

// crc32, couchbase, sha1, dynamodb-style, vitess-binary-md5, md5-ring from Python's hashlib and zlib (apt-get install python3).
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { byteKeys, empty, write } from './keys.mjs';

const digests = (keys) =>
  execFileSync('python3', [path.join(import.meta.dirname, 'digests.py')], {
    input: keys.map((key) => `${key.toString('hex')}\n`).join(''),
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  })
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
const version = execFileSync('python3', ['--version'], { encoding: 'utf8' }).trim().split(' ')[1];
const from = (what) => ({ name: `Python, ${what}`, version });

const keys = [empty, ...byteKeys];
const hex = keys.map((key) => key.toString('hex'));
const all = digests(keys);
const column = (i) => all.map((digest, at) => ({ key: hex[at], token: digest[i] }));

write('crc32', from('zlib.crc32'), {}, column(3));
write('couchbase', from('zlib.crc32, shifted and masked as in couchbase-cxx-client'), { vBuckets: 1024 },
  column(4).map((one) => ({ ...one, partition: Number(one.token) % 1024 })));
write('sha1', from('hashlib.sha1'), {}, column(2));
write('dynamodb-style', from('hashlib.md5, all 128 bits'), {}, column(0));
write('vitess-binary-md5', from('hashlib.md5, the keyspace id as a number'), {}, column(0));

// The classic ring: a key belongs to the first position at or after its own, clockwise.
const nodes = ['a', 'b', 'c'];
const VNODES = 4;
const names = nodes.flatMap((node) => Array.from({ length: VNODES }, (_, i) => ({ node, name: `${node}:vnode${i}` })));
const positions = digests(names.map(({ name }) => Buffer.from(name))).map((digest) => Number(digest[1]));
const ring = names.map(({ node }, i) => ({ node, at: positions[i] })).sort((a, b) => a.at - b.at);
const owner = (token) => (ring.find(({ at }) => at >= token) ?? ring[0]).node;
write('md5-ring', from('hashlib.md5, the first 32 bits; the ring by a linear search'), { nodes, vnodes: VNODES },
  column(1).map((one) => ({ ...one, node: owner(Number(one.token)) })));

// riak.json from Erlang/OTP (apt-get install erlang-base erlang-crypto), in which Riak is written.
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { byteKeys, empty, write } from './keys.mjs';

const SIZE = 64;
const hex = (text) => Buffer.from(text).toString('hex');
const buckets = ['users', 'b', '', 'ведро', '🪣'.repeat(5)];
const cases = [empty, ...byteKeys].map((key, i) => ({
  type: i % 7 === 0 ? hex('maps') : '',
  bucket: hex(buckets[i % 3 === 0 ? i % buckets.length : 0]),
  key: key.toString('hex'),
}));
const [version, ...answers] = execFileSync('escript', [path.join(import.meta.dirname, 'riak.escript'), String(SIZE)], {
  input: cases.map((one) => `${one.type},${one.bucket},${one.key}\n`).join(''),
  encoding: 'utf8',
})
  .trim()
  .split('\n');
write('riak', { name: 'Erlang/OTP, crypto:hash(sha, term_to_binary({Bucket, Key}))', version }, { ringSize: SIZE },
  cases.map((one, i) => {
    const [token, partition] = answers[i].split(',');
    return { key: one, token, partition: Number(partition) };
  }));

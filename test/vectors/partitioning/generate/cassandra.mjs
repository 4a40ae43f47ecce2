// cassandra-murmur3, cassandra-random, cassandra-byte-ordered from the tokenizers of cassandra-driver; see keys.mjs.
import path from 'node:path';
import { byteKeys, oracle, write } from './keys.mjs';

const { load, version, folderOf } = oracle('cassandra-driver');
const { Murmur3Tokenizer, RandomTokenizer, ByteOrderedTokenizer } = load(path.join(folderOf, 'lib/tokenizer.js'));
const hex = (key) => key.toString('hex');

// Cassandra refuses the empty partition key, and the driver does not know the token that the server gives it: no case for it.
for (const [preset, Tokenizer] of [['cassandra-murmur3', Murmur3Tokenizer], ['cassandra-random', RandomTokenizer]]) {
  const tokenizer = new Tokenizer();
  const cases = byteKeys.map((key) => ({ key: hex(key), token: tokenizer.hash(key).toString() }));
  write(preset, { name: `cassandra-driver, ${Tokenizer.name}`, version }, {}, cases);
}

// The token is the key, in hexadecimal; the cases stand in the order of the driver's tokens. The driver strips zeros from the end,
// which the server's BytesToken does not: no case for such keys.
const tokenizer = new ByteOrderedTokenizer();
const sorted = byteKeys
  .filter((key) => key.at(-1) !== 0)
  .map((key) => ({ key, token: tokenizer.hash(key) }))
  .sort((a, b) => a.token.compare(b.token));
const cases = sorted.map(({ key, token }) => ({ key: hex(key), token: token.getValue().toString('hex') }));
write('cassandra-byte-ordered', { name: 'cassandra-driver, ByteOrderedTokenizer', version }, { ordered: true }, cases);

// vitess-hash from OpenSSL's DES (apt-get install openssl): a key of zeros, ECB, all numbers as blocks of one message.
import { execFileSync } from 'node:child_process';
import { int8s, write } from './keys.mjs';

const message = Buffer.alloc(8 * int8s.length);
int8s.forEach((value, i) => message.writeBigInt64BE(value, 8 * i));
const provider = ['-provider', 'legacy', '-provider', 'default'];
const encrypted = execFileSync('openssl', ['enc', '-des-ecb', '-K', '0000000000000000', '-nopad', ...provider], {
  input: message,
});
const version = execFileSync('openssl', ['version'], { encoding: 'utf8' }).split(' ')[1];
const cases = int8s.map((value, i) => ({ key: { int8: String(value) }, token: encrypted.readBigUInt64BE(8 * i).toString() }));
write('vitess-hash', { name: 'openssl enc -des-ecb', version }, {}, cases);

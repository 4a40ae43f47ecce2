// redis-cluster.json from a real redis-server (apt-get install redis-server): CLUSTER KEYSLOT of every key, on loopback.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { byteKeys, choose, empty, write } from './keys.mjs';

const version = /v=([\d.]+)/.exec(execFileSync('redis-server', ['--version'], { encoding: 'utf8' }))[1];
const folder = mkdtempSync(path.join(tmpdir(), 'keyslot-'));
const port = await new Promise((resolve) => {
  const probe = createServer().listen(0, '127.0.0.1', () => {
    const { port: free } = probe.address();
    probe.close(() => resolve(free));
  });
});
const server = spawn(
  'redis-server',
  ['--port', port, '--bind', '127.0.0.1', '--cluster-enabled', 'yes', '--dir', folder, '--save', ''].map(String),
  { stdio: ['ignore', 'pipe', 'inherit'] },
);
await new Promise((resolve) => {
  let log = '';
  server.stdout.on('data', (chunk) => {
    log += chunk;
    if (log.includes('Ready to accept')) resolve();
  });
});

const tags = ['{a}', '{user1000}.following', '{}', 'foo{}{bar}', 'foo{{bar}}zap', 'foo{bar}{zap}', '{', '}', '}{', '{a', 'a}', '{{', '}}', '{}}', '{{}', '{{}}'];
const joined = Array.from({ length: 100 }, () => [0, 1, 2, 3].map(() => choose(['{', '}', 'ab', 'ж', 'x{', '🗝']))).map((parts) => parts.join(''));
const tagged = [...tags, ...joined].map((text) => Buffer.from(text));
const keys = [...new Map([empty, ...byteKeys, ...tagged, Buffer.from('ff7b80fe7d01', 'hex')].map((k) => [k.toString('hex'), k])).values()];

const socket = connect(port, '127.0.0.1');
for (const key of keys)
  socket.write(Buffer.concat([Buffer.from(`*3\r\n$7\r\nCLUSTER\r\n$7\r\nKEYSLOT\r\n$${key.length}\r\n`), key, Buffer.from('\r\n')]));
let answer = '';
for await (const chunk of socket) {
  answer += chunk;
  if (answer.split('\r\n').length > keys.length) break;
}
server.kill('SIGTERM');
await new Promise((resolve) => server.on('exit', resolve));
rmSync(folder, { recursive: true, force: true });
const slots = answer.split('\r\n').slice(0, keys.length).map((line) => Number(/^:(\d+)$/.exec(line)[1]));
const cases = keys.map((key, i) => ({ key: key.toString('hex'), token: String(slots[i]), partition: slots[i] }));
write('redis-cluster', { name: 'redis-server, CLUSTER KEYSLOT', version }, { slots: 16384 }, cases);

// Measures what a cut of a chaos network does to an open connection: prints one JSON line. Run as root in namespaces of its own for
// `namespaces`; `loopback` runs anywhere. Needs a build.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { LoopbackNetwork, NamespaceNetwork } from '../../../libs/testkit/dist/chaos/network.js';

const PEER = `
const net = require('node:net');
const [role, host, port] = process.argv.slice(1);
const show = (socket) => { let rest = ''; socket.on('data', (d) => { const lines = (rest + d).split('\\n'); rest = lines.pop(); for (const l of lines) console.log(l); }); };
if (role === 'serve') {
  net.createServer((socket) => { show(socket); socket.on('error', () => {}); setInterval(() => socket.writable && socket.write('tick\\n'), 50).unref(); }).listen(Number(port), host, () => console.log('ready'));
} else {
  const socket = net.connect(Number(port), host, () => console.log('ready'));
  show(socket);
  process.stdin.on('data', (d) => socket.write(d));
}`;

const network = process.argv[2] === 'namespaces' ? await NamespaceNetwork.create() : new LoopbackNetwork();
const [from, to] = [await network.host('a', ['kv']), await network.host('b', ['kv'])];

/** A program on a host, with how many lines of each kind it has received. */
const start = async (host, role, address) => {
  const at = address.lastIndexOf(':');
  const [command, ...args] = [
    ...host.prefix,
    process.execPath,
    '-e',
    PEER,
    role,
    address.slice(0, at),
    address.slice(at + 1),
  ];
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const got = { ready: 0, tick: 0, word: 0 };
  createInterface({ input: child.stdout }).on('line', (line) => (got[line] += 1));
  await until(() => got.ready === 1);
  return { got, say: () => child.stdin.write('word\n'), end: () => child.kill('SIGKILL') };
};
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const until = async (test) => {
  for (const giveUpAt = performance.now() + 10_000; !test(); await pause(20)) {
    if (performance.now() > giveUpAt) throw new Error('waited in vain');
  }
};
/** Whether each side hears the other, within a while of so many milliseconds. */
const heard = async (ms) => {
  const before = { word: server.got.word, tick: client.got.tick };
  client.say();
  await pause(ms);
  return { word: server.got.word > before.word, tick: client.got.tick > before.tick };
};

const server = await start(to, 'serve', `${to.ip}:${to.ports.kv}`);
const client = await start(from, 'call', await network.route('a', to, 'kv'));
const result = { before: await heard(500) };
await network.cut([['a', 'b']]);
result.outCut = await heard(500);
await network.heal([['a', 'b']]);
await until(() => server.got.word === 2);
await network.cut([['b', 'a']]);
await pause(100); // what was on its way arrives
result.inCut = await heard(500);
await network.heal([['b', 'a']]);
const ticks = client.got.tick;
await until(() => client.got.tick > ticks);
result.after = await heard(500);
server.end();
client.end();
await network.stop();
process.stdout.write(`${JSON.stringify(result)}\n`);
process.exit(0);

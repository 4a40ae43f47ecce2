import { CadastreClient } from '@cadastre/client';
import { CadastreError } from '@cadastre/core';
import { seededRandom } from '@cadastre/runtime';
import { historyNow, Recorder } from './recorder.js';

/** One client in a process of its own: workers that put, get and delete at a given rate, and write down what they saw. */
interface Config {
  readonly name: string;
  readonly controlPlanes: readonly string[];
  readonly keyspace: string;
  readonly file: string;
  readonly cacheFile: string;
  readonly seed: number;
  readonly workers: number;
  readonly rate: number;
  readonly keys: number;
  readonly requestTimeoutMs: number;
}

/** A key lives so long, so that no history of one key grows without end; all clients change keys together. */
const KEY_LIFE_MS = 60_000;

const config = JSON.parse(process.argv[2]!) as Config;
const recorder = new Recorder(config.file);
const client = await CadastreClient.connect({
  controlPlanes: config.controlPlanes,
  cacheFile: config.cacheFile,
  name: config.name,
  requestTimeoutMs: config.requestTimeoutMs,
});
const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
// Told to the run, which waits for all to act on the last map.
client.onMapChange((keyspace, map) => {
  if (map) say({ event: 'applied', keyspace, generation: map.generation });
});

let running = true;
process.once('SIGTERM', () => (running = false));
process.stdin.once('end', () => (running = false)).resume();
say({ event: 'listening', address: config.name });

const keyspace = client.keyspace(config.keyspace);
const began = performance.now();
let issued = 0;

/** Paces all workers together: an operation may begin when its turn has come. Turns that were missed while all waited are not made up for. */
const turn = async (): Promise<void> => {
  const dueMs = (issued * 1000) / config.rate;
  const lateMs = performance.now() - began - dueMs;
  if (lateMs > 1000) issued += Math.floor((lateMs / 1000) * config.rate);
  issued += 1;
  if (lateMs < 0) await new Promise((resolve) => setTimeout(resolve, -lateMs));
};

const work = async (worker: number): Promise<void> => {
  const random = seededRandom(config.seed * 1000 + worker);
  const who = `${config.name}.${worker}`;
  for (let op = 1; running; op += 1) {
    await turn();
    if (!running) return;
    await operate(who, op, random);
  }
};

/** Calls of this client on each key: a checker of histories is fast while few are on one key at once. */
const inFlight = new Map<string, number>();
const KEY_IN_FLIGHT = 3;

const chooseKey = (random: () => number): string => {
  for (let tries = 0; ; tries += 1) {
    const key = `k${Math.floor(random() * config.keys)}-${Math.floor(historyNow() / KEY_LIFE_MS)}`;
    if ((inFlight.get(key) ?? 0) < KEY_IN_FLIGHT || tries === config.keys) return key;
  }
};

const operate = async (who: string, op: number, random: () => number): Promise<void> => {
  const key = chooseKey(random);
  inFlight.set(key, (inFlight.get(key) ?? 0) + 1);
  const dice = random();
  const call = dice < 0.5 ? 'get' : dice < 0.95 ? 'put' : 'delete';
  const value = `${who}:${op}`;
  const partition = client.map(config.keyspace)?.partitionOf(Buffer.from(key)) ?? 0;
  recorder.record({
    type: 'invoke',
    process: who,
    op,
    call,
    keyspace: config.keyspace,
    partition,
    key,
    ...(call === 'put' && { value }),
  });
  try {
    if (call === 'get') {
      const found = await keyspace.get(key);
      recorder.record({ type: 'ok', process: who, op, ...(found && { value: Buffer.from(found).toString() }) });
    } else {
      const { epoch, seq } = await (call === 'put' ? keyspace.put(key, value) : keyspace.delete(key));
      recorder.record({ type: 'ok', process: who, op, epoch, seq });
    }
  } catch (thrown) {
    const error = CadastreError.from(thrown);
    const info = error.info as { mayHaveHappened?: boolean } | undefined;
    // Only where the client vouches for it has a write surely not happened.
    const type = call === 'get' || info?.mayHaveHappened === false ? 'fail' : 'info';
    recorder.record({ type, process: who, op, error: `${error.code}: ${error.message}`.slice(0, 300) });
  } finally {
    const left = inFlight.get(key)! - 1;
    if (left === 0) inFlight.delete(key);
    else inFlight.set(key, left);
  }
};

await Promise.all(Array.from({ length: config.workers }, (_, worker) => work(worker)));
await client.close();
await recorder.close();
process.exit(0);

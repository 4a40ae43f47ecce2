// Child process of the crash test. argv: directory. Fills and prints how many pairs are durable after each chunk, one number a line.
import { LmdbEngine } from '../lmdb/lmdb-engine.js';
import { filledPair } from './filled-pair.js';

const id = { keyspace: 'orders', partition: 0 };
const CHUNK = 50;
const engine = new LmdbEngine({ directory: process.argv[2] ?? '' });
await engine.open();
await engine.beginFill(id, { snapshotSeq: 7, epoch: 2 });
const storing: Promise<void>[] = [];
for (let from = 0; ; from += CHUNK) {
  const pairs = Array.from({ length: CHUNK }, (_, i) => filledPair(from + i));
  storing.push(
    engine.fillChunk(id, pairs, pairs.at(-1)![0]).then(() => void process.stdout.write(`${from + CHUNK}\n`)),
  );
  if (storing.length >= 4) await storing.shift();
}

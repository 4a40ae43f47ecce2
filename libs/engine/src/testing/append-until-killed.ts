// Child process of the crash test. argv: directory. Prints the highest acknowledged seq after each group, one per line.
import { LmdbEngine } from '../lmdb/lmdb-engine.js';

const id = { keyspace: 'orders', partition: 0 };
const engine = new LmdbEngine({ directory: process.argv[2] ?? '' });
let seq = 0;

const caller = async (): Promise<void> => {
  for (;;) {
    const mine = (seq += 1);
    await engine.append(id, [
      {
        epoch: 1,
        seq: mine,
        requestId: '',
        ops: [{ kind: 'put', key: Buffer.from(`key-${mine}`), value: Buffer.alloc(100, mine) }],
      },
    ]);
    if (mine % 2 === 0) void engine.apply(id, mine);
    process.stdout.write(`${mine}\n`);
  }
};

await engine.open();
await engine.create(id);
await Promise.all(Array.from({ length: 8 }, caller));

// One mirror of the register in a process of its own: says each revision that it has applied, and when (ns on the machine's monotonic clock).
import { silentLogger } from '@cadastre/runtime';
import { EtcdStore, RegisterMirror } from '@cadastre/store';

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const store = new EtcdStore({ endpoints: [process.argv[2]] });
const mirror = new RegisterMirror(store, silentLogger, {
  onChange: ({ revision, deltas }) => {
    if (deltas.length > 0) say({ event: 'applied', revision: Number(revision), at: String(process.hrtime.bigint()) });
  },
  onFatal: (error) => {
    throw error;
  },
});
await mirror.start();
say({ event: 'ready' });
process.stdin.once('end', () => process.exit(0)).resume();

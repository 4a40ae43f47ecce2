// Many watchers in one process over bare HTTP/2: the stock gRPC client would take more of the machine than any server. Each watcher
// decodes and applies every change to a map of its own, and reports what it applied, as a client does.
import { connect } from 'node:http2';
import { decodeDelta, encodeKnown, messageCodec, shareMessage, SnapshotAssembler } from '@cadastre/contracts';

const events = messageCodec('MapEvent');
const requests = messageCodec('WatchMapRequest');
const [port, streams, perConnection, stalledShare] = process.argv.slice(2).map(Number);
const HEADERS = {
  ':method': 'POST',
  ':path': '/cadastre.v1.Map/WatchMap',
  'content-type': 'application/grpc',
  te: 'trailers',
};
const subscribe = shareMessage(requests.encode({ subscribe: { watcher: 'bench', forms: [1] } })).framed;

let open = 0;
let stalled = 0;
/** generation -> moments at which it was applied */
const applied = new Map();
const sessions = [];

for (let made = 0; made < streams; made += perConnection) await connection(Math.min(perConnection, streams - made));

/** The socket under an HTTP/2 session cannot be paused from outside; streams that are paused let their windows close instead. */
process.on('message', ({ stall }) => {
  if (!stall) return;
  for (const { session, stalls } of sessions) if (stalls) for (const { stream } of session.watchers) stream.pause();
});

async function connection(count) {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on('error', (error) => process.send({ failed: error.message }));
  const stalls = sessions.length < Math.round((streams / perConnection) * stalledShare);
  session.watchers = [];
  sessions.push({ session, stalls });
  if (stalls) stalled += count;
  await Promise.all(Array.from({ length: count }, () => watch(session, stalls)));
}

function watch(session, stalls) {
  return new Promise((resolve) => {
    const stream = session.request(HEADERS, { endStream: false });
    const watcher = { stream, map: undefined };
    session.watchers.push(watcher);
    const assembler = new SnapshotAssembler();
    let rest = Buffer.alloc(0);
    stream.on('data', (data) => {
      rest = rest.length === 0 ? data : Buffer.concat([rest, data]);
      while (rest.length >= 5) {
        const end = 5 + rest.readUInt32BE(1);
        if (rest.length < end) break;
        take(rest.subarray(5, end));
        rest = rest.subarray(end);
      }
    });
    stream.on('error', (error) => process.send({ failed: error.message }));
    const take = (bytes) => {
      const event = events.decode(bytes);
      if (event.snapshot) watcher.map = assembler.add(event.snapshot) ?? watcher.map;
      else if (event.delta) {
        watcher.map = watcher.map.withDelta(decodeDelta(event.delta));
        if (!stalls) note(watcher);
      } else if (event.progress && !watcher.ready) {
        watcher.ready = true;
        open += 1;
        resolve();
        if (open === streams) process.send({ ready: open, stalled });
      }
    };
    stream.write(subscribe);
  });
}

function note(watcher) {
  const at = process.hrtime.bigint();
  const { number } = watcher.map.generation;
  const moments = applied.get(number) ?? new BigInt64Array(streams - stalled);
  if (!applied.has(number)) applied.set(number, Object.assign(moments, { count: 0 }));
  moments[moments.count] = at;
  moments.count += 1;
  if (moments.count === moments.length) {
    applied.delete(number);
    process.send({ generation: number, moments });
  }
  watcher.at = at;
  if (process.env.NOREPORT) return;
  watcher.timer ??= setTimeout(() => report(watcher), 500 + Math.random() * 5_000);
}

function report(watcher) {
  watcher.timer = undefined;
  const heldMs = Math.round(Number(process.hrtime.bigint() - watcher.at) / 1e6);
  const known = encodeKnown([{ keyspace: watcher.map.spec.name, generation: watcher.map.generation }]);
  watcher.stream.write(shareMessage(requests.encode({ applied: { applied: known, heldMs } })).framed);
}

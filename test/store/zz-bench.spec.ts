import { it, jest } from '@jest/globals';
import { EtcdStore, op } from '@cadastre/store';
import { startEtcd } from '@cadastre/testkit';
import { ConnectionPool } from 'etcd3/lib/connection-pool.js';
jest.setTimeout(60000);
const q = (a: number[], p: number) => a.sort((x, y) => x - y)[Math.floor(a.length * p)]!.toFixed(2);
it('bench', async () => {
  const etcd = await startEtcd();
  const store = new EtcdStore({ endpoints: etcd.endpoints });
  const noPolicy = { execute: (run: any) => Promise.resolve(run({})) } as any;
  const pool = new ConnectionPool({ hosts: etcd.endpoints[0]!, grpcOptions: { 'grpc.max_receive_message_length': -1 }, faultHandling: { global: noPolicy, host: () => noPolicy } });
  const value = Buffer.alloc(100);
  const bare = (i: number) => pool.exec('KV', 'txn', { compare: [], success: [{ request_put: { key: Buffer.from('b' + i % 500), value } }], failure: [] });
  const ours = (i: number) => store.txn({ compare: [], success: [op.put('o' + i % 500, value)] });
  const out: string[] = [];
  for (const round of [0, 1, 2]) for (const [name, run] of [['bare', bare], ['ours', ours]] as const) for (const clients of [1, 16]) {
    let i = 0; const n = clients === 1 ? 1000 : 6000; const lat: number[] = []; const t = performance.now(); const cpu = process.cpuUsage();
    await Promise.all(Array.from({ length: clients }, async () => { while (i < n) { i += 1; const s = performance.now(); await run(i); lat.push(performance.now() - s); } }));
    const el = performance.now() - t; const c = process.cpuUsage(cpu);
    out.push(`${round} ${name} ${clients}: ${(n / el * 1000).toFixed(0)}/s p50 ${q(lat, .5)} p99 ${q(lat, .99)} cpu/call ${((c.user + c.system) / n).toFixed(0)}us`);
  }
  // put -> event
  const lat: number[] = []; let got: (() => void) | undefined;
  store.watch('w', { fromRevision: 1n, onBatch: () => got?.(), onResync: () => {}, onError: console.error });
  for (let i = 0; i < 600; i++) { const s = performance.now(); const ev = new Promise<void>((r) => { got = r; }); const p = store.txn({ compare: [], success: [op.put('w' + i, value)] }); await ev; lat.push(performance.now() - s); await p; }
  out.push(`put->event p50 ${q(lat.slice(50), .5)} p99 ${q(lat.slice(50), .99)}`);
  for (let b = 0; b < 100000; b += 1280) await Promise.all(Array.from({ length: 10 }, (_, k) => store.txn({ compare: [], success: Array.from({ length: 128 }, (_, j) => op.put(`L${String(b + k * 128 + j).padStart(6, '0')}`, value)) })));
  for (let r = 0; r < 3; r++) { const s = performance.now(); const { kvs } = await store.range('L'); out.push(`range ${kvs.length}: ${(performance.now() - s).toFixed(0)} ms`); }
  for (let r = 0; r < 2; r++) { const s = performance.now(); let key = Buffer.from('L'); let n = 0; for (;;) { const page: any = await pool.exec('KV', 'range', { key, range_end: Buffer.from('M'), limit: 10000 }); n += page.kvs.length; if (!page.more) break; key = Buffer.concat([page.kvs.at(-1).key, Buffer.of(0)]); } out.push(`bare range ${n}: ${(performance.now() - s).toFixed(0)} ms`); }
const ch = Buffer.alloc(8000); for (let i = 0; i < 100; i++) await store.txn({ compare: [], success: [op.put('C' + i, ch)] });
  for (let r = 0; r < 3; r++) { const s = performance.now(); const { kvs } = await store.range('C'); out.push(`range chunks ${kvs.length}: ${(performance.now() - s).toFixed(1)} ms`); }
  process.stdout.write(out.join('\n') + '\n');
  store.close(); pool.close(); await etcd.stop();
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { PROCESS_METRICS } from '@cadastre/service-kit';
import type { EtcdCluster } from '@cadastre/testkit';
import { startEtcd } from '@cadastre/testkit';
import { CONTROL_PLANE_METRICS } from '../../apps/control-plane/src/metrics/control-plane-metrics.js';

const MAIN = fileURLToPath(new URL('../../apps/control-plane/dist/main.js', import.meta.url));
const NOBODY = 'http://127.0.0.1:1';

class Run {
  stdout = '';
  stderr = '';
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  constructor(args: readonly string[], env: Record<string, string> = {}) {
    this.child = spawn(process.execPath, [MAIN, ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    this.child.stdout!.on('data', (data) => (this.stdout += data));
    this.child.stderr!.on('data', (data) => (this.stderr += data));
    this.ended = once(this.child, 'exit').then(([code]) => code as number | null);
  }

  async listening(): Promise<{ grpc: string; http: string; metrics?: string }> {
    for (;;) {
      const line = this.stdout.split('\n').find((text) => text.includes('"event":"listening"'));
      if (line) return JSON.parse(line) as { grpc: string; http: string; metrics?: string };
      const over = await Promise.race([
        once(this.child.stdout!, 'data').then(() => false),
        this.ended.then(() => true),
      ]);
      if (over) throw new Error(`ended before it listened: ${this.stdout}${this.stderr}`);
    }
  }
}

let etcd: EtcdCluster;
beforeAll(async () => {
  etcd = await startEtcd();
}, 180_000);
afterAll(() => etcd?.stop());

const start = (extra: readonly string[] = []): Run =>
  new Run([
    '--id',
    'cp1',
    '--grpc',
    '127.0.0.1:0',
    '--http',
    '127.0.0.1:0',
    '--etcd',
    etcd.endpoints.map((e) => `http://${e}`).join(','),
    '--insecure',
    ...extra,
  ]);

describe('the control-plane process', () => {
  it.each([
    ['an unknown flag', ['--id', 'cp1', '--etcd', NOBODY, '--colour', 'red'], '--colour'],
    ['no etcd', ['--id', 'cp1'], '--etcd'],
    ['no id', ['--etcd', NOBODY], '--id'],
    ['a bad level', ['--id', 'cp1', '--etcd', NOBODY, '--log-level', 'loud'], '--log-level'],
    ['an address that others cannot reach', ['--id', 'cp1', '--etcd', NOBODY, '--grpc', '0.0.0.0:7400'], '--advertise'],
    ['one address for two servers', ['--id', 'cp1', '--etcd', NOBODY, '--http', '127.0.0.1:7400'], '--http'],
  ])(
    'stops at %s with one clear line',
    async (_story, args, flag) => {
      // Plan: exit code 1, one line on stderr that names the flag.
      const run = new Run(args);
      expect(await run.ended).toBe(1);
      expect(run.stderr.trim().split('\n')).toHaveLength(1);
      expect(run.stderr).toContain(flag);
    },
    20_000,
  );

  it('waits for etcd for a while, says what is wrong, and gives up', async () => {
    // Plan: nobody listens at --etcd; with 1.5 s patience it tries more than once and ends with code 1, the endpoint and a remedy.
    const run = new Run([
      '--id',
      'cp1',
      '--grpc',
      '127.0.0.1:0',
      '--http',
      '127.0.0.1:0',
      '--etcd',
      NOBODY,
      '--insecure',
      '--start-timeout-ms',
      '1500',
    ]);
    expect(await run.ended).toBe(1);
    expect(run.stderr).toContain(`etcd does not answer at ${NOBODY}`);
    expect(run.stderr).toContain('start etcd, or correct --etcd');
    expect(run.stdout.split('\n').filter((line) => line.includes('trying for another')).length).toBeGreaterThan(1);
  }, 20_000);

  it('takes settings from the environment, listens, serves, and stops cleanly', async () => {
    // Plan: everything from CADASTRE_CP_*; it becomes ready and tells every metric of its table; SIGTERM ends it with code 0 and hands leadership over at once.
    const run = new Run([], {
      CADASTRE_CP_ID: 'cp7',
      CADASTRE_CP_GRPC: '127.0.0.1:0',
      CADASTRE_CP_HTTP: '127.0.0.1:0',
      CADASTRE_CP_ETCD: etcd.endpoints.join(','),
      CADASTRE_CP_INSECURE: 'true',
      CADASTRE_CP_METRICS_LISTEN: '127.0.0.1:0',
    });
    const { http, metrics } = await run.listening();
    expect((await fetch(`http://${http}/readyz`)).status).toBe(200);
    expect(await (await fetch(`http://${http}/api/v1/status`)).json()).toMatchObject({
      replica: 'cp7',
      etcdVersion: expect.stringMatching(/^3\./),
    });
    const figures = await (await fetch(`http://${metrics}/metrics`)).text();
    for (const { name, kind } of Object.values({ ...CONTROL_PLANE_METRICS, ...PROCESS_METRICS }))
      expect(figures).toContain(`# TYPE ${name} ${kind}\n`);
    expect(figures).toContain('cadastre_build_info{component="control-plane"');
    expect(figures).toContain('nodejs_eventloop_lag_p99_seconds');
    const next = start();
    const other = await next.listening();
    run.child.kill('SIGTERM');
    expect(await run.ended).toBe(0);
    const began = Date.now();
    for (;;) {
      const status = (await (await fetch(`http://${other.http}/api/v1/status`)).json()) as { active: string };
      if (status.active === 'cp1') break;
      if (Date.now() - began > 3_000) throw new Error('leadership was not handed over at once');
    }
    next.child.kill('SIGTERM');
    expect(await next.ended).toBe(0);
  }, 40_000);

  it('ends with its supervisor when told to', async () => {
    // Plan: with --exit-with-parent, closing stdin ends it.
    const run = start(['--exit-with-parent']);
    await run.listening();
    run.child.stdin!.end();
    expect(await run.ended).toBe(0);
  }, 30_000);

  it('ends when the register is not the one it was', async () => {
    // Plan: etcd goes away and another, empty one appears at its address: the replica must not act on it, and ends with code 1.
    const first = await startEtcd();
    const run = new Run([
      '--id',
      'cp1',
      '--grpc',
      '127.0.0.1:0',
      '--http',
      '127.0.0.1:0',
      '--etcd',
      first.endpoints[0]!,
      '--insecure',
    ]);
    await run.listening();
    const { port } = first.members[0]!;
    await first.stop();
    const second = await startEtcd({ port });
    try {
      expect(await run.ended).toBe(1);
      expect(run.stderr).toContain('the register changed');
    } finally {
      await second.stop();
    }
  }, 60_000);

  it('says so when its port is taken', async () => {
    // Plan: two replicas on one HTTP port: the second ends with code 1 and names the flag's address.
    const first = start();
    const { http } = await first.listening();
    const second = start(['--http', http]);
    expect(await second.ended).toBe(1);
    expect(second.stderr).toContain(`cannot listen on ${http}`);
    first.child.kill('SIGTERM');
    await first.ended;
  }, 40_000);
});

import type { ChildProcess } from 'node:child_process';
import { spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { KeyspaceMap } from '@cadastre/core';
import { mapDigest } from '@cadastre/contracts';
import type { CadastreClient } from '@cadastre/client';
import { TestCluster } from '@cadastre/testkit';

const script = fileURLToPath(new URL('./client.py', import.meta.url));
const vectors = fileURLToPath(new URL('../vectors/protocol', import.meta.url));

/** Debian's package puts grpc beside Debian's own interpreter; another one that stands first on PATH may lack it. */
const INTERPRETERS = ['/usr/bin/python3', 'python3'];
const withGrpc = (): string | undefined =>
  INTERPRETERS.find((python) => spawnSync(python, ['-c', 'import grpc']).status === 0);

const requirePython = (): string => {
  const found = withGrpc();
  if (found) return found;
  const installed = spawnSync('apt-get', ['install', '-y', 'python3-grpcio'], { encoding: 'utf8' });
  const python = withGrpc();
  if (python) return python;
  throw new Error(
    `the second client needs Python 3 with grpc: apt-get install python3-grpcio\n${installed.error?.message ?? installed.stderr}`,
  );
};

type Line = Readonly<Record<string, unknown>>;

/** A run of the client whose lines are read as they come. */
class Run {
  private readonly child: ChildProcess;
  private readonly lines: AsyncIterator<string>;
  private errors = '';

  constructor(python: string, args: readonly string[]) {
    this.child = spawn(python, [script, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.child.stderr!.on('data', (data: Buffer) => (this.errors += data.toString()));
    this.lines = createInterface({ input: this.child.stdout! })[Symbol.asyncIterator]();
  }

  async next(): Promise<Line> {
    const { done, value } = await this.lines.next();
    if (done) throw new Error(`the client ended: ${this.errors}`);
    return JSON.parse(value) as Line;
  }

  goOn(): void {
    this.child.stdin!.write('\n');
  }

  stop(): void {
    this.child.kill('SIGKILL');
  }
}

describe('a client in another language, after docs/protocol.md', () => {
  let python: string;
  const runs: Run[] = [];
  const run = (...args: string[]): Run => {
    const started = new Run(python, args);
    runs.push(started);
    return started;
  };
  beforeAll(() => {
    python = requirePython();
  }, 180_000);
  afterAll(() => {
    for (const each of runs) each.stop();
  });

  it('passes the conformance vectors', async () => {
    // Plan: all vectors of maps, routing, NOT_OWNER, malformed bytes and frames; none may fail.
    const { passed, failed } = await run('vectors', vectors).next();
    expect(failed).toEqual([]);
    expect(passed).toBeGreaterThan(50);
  }, 60_000);

  describe('against a live cluster', () => {
    let cluster: TestCluster;
    let client: CadastreClient;
    beforeAll(async () => {
      cluster = await TestCluster.start({ controlPlanes: 1, agents: 3 });
      await cluster.createKeyspace({
        name: 'orders',
        scheme: { kind: 'hash-slots', slots: 32, hash: 'murmur3', hashTags: false },
        replicationFactor: 3,
        minInSync: 2,
        spread: [],
      });
      client = await cluster.client();
      await client.keyspace('orders').put('there', 'yes');
    }, 120_000);
    afterAll(() => cluster.stop());

    const mapHere = (): KeyspaceMap => client.map('orders')!;

    it('reads the map, serves itself through it, heals it, and follows a change', async () => {
      // Plan: its digest is that of our own client; 50 keys written and read; then a node is killed and comes back, so that leaders change
      // while the client does not read its stream: it goes on with its old map and NOT_OWNER; at last it reads on.
      const live = run('live', cluster.controlPlaneAddresses()[0]!, 'orders');
      const first = await live.next();
      expect(first).toMatchObject({ step: 'map', digest: expect.stringMatching(/^[0-9a-f]{64}$/) });
      expect(await live.next()).toEqual({ step: 'kv', right: 50 });
      const before = mapHere().generation.number;
      await cluster.agents.get('n1')!.end('SIGKILL');
      await cluster.until('others lead', async () => mapHere().generation.number > before);
      await cluster.startAgent(1);
      await cluster.until('n1 is back', async () => (await cluster.status()).nodesUp === 3);
      live.goOn();
      expect(await live.next()).toMatchObject({ step: 'healed', right: 50 });
      const watched = await live.next();
      expect(watched['step']).toBe('watched');
      expect((watched['generation'] as number[])[1]).toBeGreaterThan(before);
    }, 120_000);

    it('reads from any node the map that the node has', async () => {
      // Plan: each agent answers GetMap with the digest that our client has of that generation, and the cluster's id.
      for (const id of cluster.agents.keys()) {
        await cluster.until(`${id} has the newest map`, async () => {
          const answer = run('from-node', cluster.addressOf(id), 'orders');
          const { digest, cluster: clusterId } = await answer.next();
          return digest === mapDigest(mapHere()) && typeof clusterId === 'string' && clusterId !== '';
        });
      }
    }, 60_000);
  });
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KeyspaceSpec } from '@cadastre/core';
import { CadastreError, createPartitioner } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import { callUnary, Peer } from '@cadastre/contracts';
import type { Tracer } from '@cadastre/runtime';
import type { Agent } from '@cadastre/storage-agent';
import { startAgent } from '@cadastre/storage-agent';
import type { FakeControlPlane } from './fake-control-plane.js';

export const specOf = (partitions: number, replicationFactor: number, minInSync: number): KeyspaceSpec => ({
  name: 'ks',
  scheme: { kind: 'hash-slots', slots: partitions, hash: 'murmur3', hashTags: false },
  replicationFactor,
  minInSync,
  spread: [],
});

export const waitFor = async (
  what: string,
  condition: () => boolean | Promise<boolean>,
  limitMs = 10_000,
): Promise<void> => {
  const end = Date.now() + limitMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`waited ${limitMs} ms for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
};

/** Everything that a test starts, so that it can all be stopped in reverse. */
export class Stage {
  private readonly undo: (() => Promise<void> | void)[] = [];

  onEnd(task: () => Promise<void> | void): void {
    this.undo.push(task);
  }

  async end(): Promise<void> {
    for (const task of this.undo.reverse()) await task();
  }

  async folder(): Promise<string> {
    const path = await mkdtemp(join(tmpdir(), 'cadastre-agent-'));
    this.onEnd(() => rm(path, { recursive: true, force: true }));
    return path;
  }

  async agent(
    id: string,
    controlPlane: FakeControlPlane,
    options: { dataDir?: string; port?: number; inSyncTimeoutMs?: number; tracer?: Tracer } = {},
  ): Promise<Agent> {
    const dataDir = options.dataDir ?? (await this.folder());
    const agent = await startAgent({
      id,
      dataDir,
      host: '127.0.0.1',
      port: options.port ?? 0,
      controlPlane: [controlPlane.address],
      inSyncTimeoutMs: options.inSyncTimeoutMs ?? 1000,
      ...(options.tracer && { tracer: options.tracer }),
    });
    this.onEnd(() => agent.stop());
    return agent;
  }

  peer(address: string): Peer {
    const peer = new Peer(address);
    this.onEnd(() => peer.close());
    return peer;
  }
}

/** A client that heals itself from NOT_OWNER and retries with the same request id. */
export class SmallClient {
  private readonly partitioner;
  private readonly peers = new Map<string, Peer>();
  private leader = new Map<number, { address: string; epoch: number }>();
  retries = 0;

  constructor(
    private readonly stage: Stage,
    spec: KeyspaceSpec,
    private readonly first: { address: string; epoch: number },
  ) {
    this.partitioner = createPartitioner(spec.scheme);
  }

  private peer(address: string): Peer {
    let peer = this.peers.get(address);
    if (!peer) this.peers.set(address, (peer = this.stage.peer(address)));
    return peer;
  }

  async put(requestId: string, key: string, value: string, deadlineMs = 10_000): Promise<Wire.WriteReply__Output> {
    return this.retrying(Buffer.from(key), deadlineMs, (peer, target, left) =>
      callUnary<Wire.PutRequest, Wire.WriteReply__Output>(
        peer.kv,
        peer.kv.put,
        { target, requestId, key: Buffer.from(key), value: Buffer.from(value) },
        { deadlineMs: left },
      ),
    );
  }

  async get(key: string, deadlineMs = 10_000): Promise<string | undefined> {
    const reply = await this.retrying(Buffer.from(key), deadlineMs, (peer, target, left) =>
      callUnary<Wire.GetRequest, Wire.GetReply__Output>(
        peer.kv,
        peer.kv.get,
        { target, key: Buffer.from(key) },
        { deadlineMs: left },
      ),
    );
    return reply.found ? reply.value.toString() : undefined;
  }

  private async retrying<T>(
    key: Buffer,
    deadlineMs: number,
    call: (peer: Peer, target: Wire.Target, left: number) => Promise<T>,
  ): Promise<T> {
    const end = Date.now() + deadlineMs;
    const partition = this.partitioner.partitionOf(key);
    for (;;) {
      const at = this.leader.get(partition) ?? this.first;
      try {
        return await call(
          this.peer(at.address),
          { keyspace: 'ks', partition, epoch: at.epoch },
          Math.min(3000, end - Date.now()),
        );
      } catch (error) {
        const { code, info } = CadastreError.from(error);
        if (Date.now() >= end || !['NOT_OWNER', 'UNAVAILABLE', 'DEADLINE_EXCEEDED', 'CANCELLED'].includes(code))
          throw error;
        this.retries += 1;
        const owner = info as { record?: { epoch: number }; leaderAddress?: string } | undefined;
        if (owner?.leaderAddress && owner.record)
          this.leader.set(partition, { address: owner.leaderAddress, epoch: owner.record.epoch });
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }
}

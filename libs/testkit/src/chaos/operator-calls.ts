import type { KeyspaceSpec, PartitionRecord } from '@cadastre/core';
import { CadastreError, leaderOf } from '@cadastre/core';
import type { OwnerInfo, Wire } from '@cadastre/contracts';
import { callUnary, decodeRecord, encodeSpec, Peer } from '@cadastre/contracts';

const DEADLINE_MS = 5_000;
const ACTOR = 'chaos';

/** An operator's verbs, at any control plane that answers. */
export class OperatorCalls {
  private readonly peers = new Map<string, Peer>();

  constructor(private readonly addresses: () => readonly string[]) {}

  status(): Promise<Wire.StatusReply__Output> {
    return this.any((p) =>
      callUnary<Wire.StatusRequest, Wire.StatusReply__Output>(
        p.operator,
        p.operator.Status,
        {},
        { deadlineMs: DEADLINE_MS },
      ),
    );
  }

  createKeyspace(spec: KeyspaceSpec): Promise<Wire.Keyspace__Output> {
    return this.any((p) =>
      callUnary<Wire.CreateKeyspaceRequest, Wire.Keyspace__Output>(
        p.operator,
        p.operator.CreateKeyspace,
        { spec: encodeSpec(spec), actor: ACTOR },
        { deadlineMs: DEADLINE_MS * 2 },
      ),
    );
  }

  async records(name: string): Promise<PartitionRecord[]> {
    const keyspace = await this.any((p) =>
      callUnary<Wire.GetKeyspaceRequest, Wire.Keyspace__Output>(
        p.operator,
        p.operator.GetKeyspace,
        { name, withPartitions: true },
        { deadlineMs: DEADLINE_MS },
      ),
    );
    return keyspace.records.map(decodeRecord);
  }

  drain(id: string, undo: boolean): Promise<Wire.Node__Output> {
    return this.any((p) =>
      callUnary<Wire.DrainNodeRequest, Wire.Node__Output>(
        p.operator,
        p.operator.DrainNode,
        { id, undo, actor: ACTOR, reason: 'a chaos run' },
        { deadlineMs: DEADLINE_MS },
      ),
    );
  }

  propose(): Promise<Wire.ProposePlanReply__Output> {
    return this.any((p) =>
      callUnary<Wire.ProposePlanRequest, Wire.ProposePlanReply__Output>(
        p.operator,
        p.operator.ProposePlan,
        { actor: ACTOR },
        { deadlineMs: DEADLINE_MS },
      ),
    );
  }

  plan(id: string): Promise<Wire.Plan__Output> {
    return this.any((p) =>
      callUnary<Wire.GetPlanRequest, Wire.Plan__Output>(
        p.operator,
        p.operator.GetPlan,
        { id },
        { deadlineMs: DEADLINE_MS },
      ),
    );
  }

  act(id: string, action: string, digest = ''): Promise<Wire.Plan__Output> {
    return this.any((p) =>
      callUnary<Wire.ActOnPlanRequest, Wire.Plan__Output>(
        p.operator,
        p.operator.ActOnPlan,
        { id, action, digest, actor: ACTOR, reason: 'a chaos run' },
        { deadlineMs: DEADLINE_MS },
      ),
    );
  }

  /** The record of a partition as the agent at `address` acts on it: it leads, and so answers, or it names the record in its refusal. */
  async recordAt(
    address: string,
    keyspace: string,
    record: PartitionRecord,
    node: string,
  ): Promise<PartitionRecord | undefined> {
    const peer = this.peer(address);
    const target = { keyspace, partition: record.partition, epoch: record.epoch };
    try {
      await callUnary<Wire.ScanRequest, Wire.ScanReply__Output>(
        peer.kv,
        peer.kv.Scan,
        { target, start: new Uint8Array(), end: new Uint8Array(), limit: 1 },
        { deadlineMs: DEADLINE_MS },
      );
      return leaderOf(record) === node ? record : undefined;
    } catch (thrown) {
      const error = CadastreError.from(thrown);
      if (error.code !== 'NOT_OWNER') throw error;
      return (error.info as OwnerInfo | undefined)?.record;
    }
  }

  close(): void {
    for (const peer of this.peers.values()) peer.close();
  }

  private async any<Reply>(call: (peer: Peer) => Promise<Reply>): Promise<Reply> {
    let last: unknown = new Error('there is no control plane');
    for (const address of this.addresses()) {
      try {
        return await call(this.peer(address));
      } catch (error) {
        last = error;
        if (!['UNAVAILABLE', 'DEADLINE_EXCEEDED'].includes(CadastreError.from(error).code)) throw error;
      }
    }
    throw last;
  }

  private peer(address: string): Peer {
    let peer = this.peers.get(address);
    if (!peer) this.peers.set(address, (peer = new Peer(address)));
    return peer;
  }
}

import type { ChangeInSyncCommand, AgentReport } from './reports.js';
import type { Generation, PartitionRecord } from '@cadastre/core';

/** What the edges (gRPC, REST) may ask of the part that acts by itself. Implemented by `Controller`. */
export interface ControllerPort {
  /** True only while the election lease is certainly held. */
  readonly active: boolean;
  /** @throws CadastreError NOT_ACTIVE with the address of the active one */
  report(report: AgentReport): PurgeGrant[];
  /** How fast copies may flow out of a node and into it now. */
  pace(node: string): TransferPace;
  /** A hint; only the active one heeds it. */
  suspect(by: string, suspicions: readonly { readonly node: string; readonly why: string }[]): void;
  /** @throws CadastreError NOT_ACTIVE, NOT_OWNER (record newer than the leader's) */
  changeInSync(command: ChangeInSyncCommand): Promise<{ record: PartitionRecord; generation: Generation }>;
}

export interface PurgeGrant {
  readonly keyspace: string;
  readonly partition: number;
  readonly generation: Generation;
}

/** Bytes a second; 0 for no limit. */
export interface TransferPace {
  readonly out: number;
  readonly in: number;
}

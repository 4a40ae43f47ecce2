import type { Transport } from '@cadastre/contracts';
import type { StorageEngine } from '@cadastre/engine';
import type { Clock, Logger, NewId, Random, Tracer } from '@cadastre/runtime';
import type { Files } from './files.js';

/** Compiled configuration of one agent: only checked values. */
export interface AgentConfig {
  readonly id: string;
  /** Made if it is not there; one agent per directory. */
  readonly dataDir: string;
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  /** host:port that others reach this agent at; what it listens on when absent. */
  readonly advertise?: string;
  /** host:port of a second server that answers health checks alone. */
  readonly health?: string;
  /** host:port of any control-plane replicas. */
  readonly controlPlane: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  /** Relative share of the data, above 0; default 1. */
  readonly weight?: number;
  readonly capacity?: Readonly<Record<string, number>>;
  readonly logger?: Logger;
  /** Spans of requests whose callers record them; without one nothing is recorded. */
  readonly tracer?: Tracer;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly newId?: NewId;
  /** Default gRPC. */
  readonly transport?: Transport;
  /** Where `dataDir` lies; default this machine's file system. */
  readonly files?: Files;
  /** Instead of the embedded LMDB engine in `dataDir`. Not opened yet. */
  readonly engine?: StorageEngine;
  readonly inSyncTimeoutMs?: number;
  /** Calls that may wait at once, on the node, for a leader to be ready or for a write to be committed. */
  readonly holdMax?: number;
  /** What the agent cannot go on after: its disk failed, or another node has its name. */
  readonly onFatal?: (error: Error) => void;
}

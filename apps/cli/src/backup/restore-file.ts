import { CadastreError } from '@cadastre/core';
import type { Transport } from '@cadastre/contracts';
import type { Clock } from '@cadastre/runtime';
import { randomId } from '@cadastre/runtime';
import type { BackupReport, ClusterRecord, EtcdTls } from '@cadastre/store';
import { clusterCodec, EtcdStore, keys, nodeCodec, raiseIncarnation, restoreBackup } from '@cadastre/store';
import type { AskedAgents } from './ask-agents.js';
import { agentAddresses, askAgents } from './ask-agents.js';
import { backupFrames, checkBackup } from './backup-files.js';

export interface RestoreTarget {
  readonly endpoints: readonly string[];
  readonly tls?: EtcdTls;
}

export interface RestoreWish {
  readonly target: RestoreTarget;
  readonly actor: string;
  readonly reason: string;
  readonly clock: Clock;
  /** The way to the agents. */
  readonly transport: Transport;
  /** Undefined: one above all that the backup and the agents know. */
  readonly incarnation: number | undefined;
  /** Whether the agents are asked what they have heard of. */
  readonly ask: boolean;
}

export interface Restored {
  readonly cluster: ClusterRecord;
  readonly asked: AskedAgents;
  readonly report: BackupReport | undefined;
}

const NOBODY: AskedAgents = { nodes: 0, answered: 0, incarnation: 0 };

/** @throws CadastreError as of `restoreBackup`, and FAILED_PRECONDITION (field `incarnation`) for one that agents have heard of */
export const restoreFile = async (path: string, wish: RestoreWish): Promise<Restored> => {
  const report = await checkBackup(path);
  const addresses = wish.ask ? await agentAddresses(backupFrames(path)) : [];
  const asked = wish.ask ? await askAgents(addresses, report.header.clusterId, wish) : NOBODY;
  const incarnation = incarnationOf(wish, report.header.incarnation, asked);
  const cluster = await withStore(wish, (store) =>
    restoreBackup(store, backupFrames(path), report, { ...howOf(wish), incarnation }),
  );
  return { cluster, asked, report };
};

/** Of a register whose etcd was restored by other means. */
export const raise = (wish: RestoreWish): Promise<Restored> =>
  withStore(wish, async (store) => {
    const kv = await store.get(keys.cluster);
    const before = kv && clusterCodec.decode(kv.value);
    const { kvs } = wish.ask && before ? await store.range(keys.nodes) : { kvs: [] };
    const addresses = kvs.map(({ value }) => nodeCodec.decode(value).entry.address);
    const asked = before ? await askAgents(addresses, before.clusterId, wish) : NOBODY;
    const incarnation = incarnationOf(wish, before?.incarnation ?? 0, asked);
    return { cluster: await raiseIncarnation(store, { ...howOf(wish), incarnation }), asked, report: undefined };
  });

const howOf = ({ actor, reason, clock }: RestoreWish) => ({ actor, reason, nowMs: clock.wallMs(), mark: randomId(8) });

const incarnationOf = ({ incarnation }: RestoreWish, before: number, asked: AskedAgents): number => {
  const lowest = Math.max(before, asked.incarnation) + 1;
  if (incarnation === undefined) return lowest;
  if (incarnation >= lowest || incarnation <= before) return incarnation;
  throw new CadastreError('FAILED_PRECONDITION', `agents have heard of incarnation ${asked.incarnation} already`, {
    field: 'incarnation',
    limit: `at least ${lowest}`,
    remedy: 'leave --incarnation out, or give a higher one: they refuse a register that seems older',
  });
};

const withStore = async <T>({ target, clock }: RestoreWish, work: (store: EtcdStore) => Promise<T>): Promise<T> => {
  const store = new EtcdStore({ endpoints: target.endpoints, clock, ...(target.tls && { tls: target.tls }) });
  try {
    return await work(store);
  } finally {
    store.close();
  }
};

import { existsSync, readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { CadastreError, invalid } from '@cadastre/core';
import type { CredentialFiles } from '@cadastre/contracts';
import type { Io } from './io.js';

/** What `cadastre up` leaves under its data folder, so that other commands need no flags and the next start finds the same cluster. */
export interface ClusterFile {
  readonly version: 1;
  readonly supervisorPid: number | undefined;
  readonly socket: string;
  readonly etcd: {
    readonly endpoints: readonly string[];
    readonly clientPort?: number;
    readonly peerPort?: number;
    readonly pid?: number | undefined;
    readonly version?: string;
  };
  readonly controlPlanes: readonly ControlPlaneEntry[];
  readonly agents: readonly AgentEntry[];
  /** Absent in files of before there were any. */
  readonly routers?: readonly RouterEntry[];
  /** Of the person who runs it; absent where it speaks plaintext. */
  readonly tls?: CredentialFiles;
}

/** What all programs have. */
interface ProgramEntry {
  /** host:port of /metrics; absent in files of before there was any. */
  readonly metrics?: string;
}

export interface RouterEntry extends ProgramEntry {
  readonly id: string;
  readonly address: string;
  readonly pid?: number | undefined;
}

export interface ControlPlaneEntry extends ProgramEntry {
  readonly id: string;
  readonly grpc: string;
  readonly http: string;
  readonly pid?: number | undefined;
}

export interface AgentEntry extends ProgramEntry {
  readonly id: string;
  readonly zone: string;
  readonly rack: string;
  readonly address: string;
  readonly pid?: number | undefined;
  /** Told to be down; the next start leaves it down too. */
  readonly stopped?: boolean;
}

export const CLUSTER_FILE = 'cluster.json';

export const readClusterFile = (folder: string): ClusterFile | undefined => {
  const path = join(folder, CLUSTER_FILE);
  if (!existsSync(path)) return undefined;
  try {
    const parsed = JSON.parse(readFileSync(path, 'utf8')) as ClusterFile;
    if (parsed.version !== 1 || !Array.isArray(parsed.controlPlanes) || !Array.isArray(parsed.agents))
      throw new Error('it is of another version');
    return parsed;
  } catch (error) {
    throw new CadastreError('FAILED_PRECONDITION', `${path} cannot be read: ${(error as Error).message}`, {
      field: 'data',
      remedy: 'delete that file, or give --server',
    });
  }
};

export const writeClusterFile = async (folder: string, cluster: ClusterFile): Promise<void> => {
  const path = join(folder, CLUSTER_FILE);
  await writeFile(`${path}.part`, `${JSON.stringify(cluster, undefined, 2)}\n`);
  await rename(`${path}.part`, path);
};

/** A file for Prometheus' file_sd_configs; written again whenever programs come or go. */
export const METRICS_TARGETS_FILE = 'prometheus-targets.json';

export const writeMetricsTargets = async (folder: string, cluster: ClusterFile): Promise<void> => {
  const group = (component: string, entries: readonly ProgramEntry[]) => ({
    targets: entries.flatMap(({ metrics }) => metrics ?? []),
    labels: { component },
  });
  const groups = [
    group('control-plane', cluster.controlPlanes),
    group('storage-agent', cluster.agents),
    group('router', cluster.routers ?? []),
  ];
  const path = join(folder, METRICS_TARGETS_FILE);
  await writeFile(`${path}.part`, `${JSON.stringify(groups, undefined, 2)}\n`);
  await rename(`${path}.part`, path);
};

/** The nearest `.cadastre` of a cluster, from the working directory upwards. */
export const findClusterFolder = (cwd: string): string | undefined => {
  for (let folder = resolve(cwd); ; folder = dirname(folder)) {
    const candidate = join(folder, '.cadastre');
    if (existsSync(join(candidate, CLUSTER_FILE))) return candidate;
    if (dirname(folder) === folder) return undefined;
  }
};

/** Control planes to ask: --server, CADASTRE_SERVER, the cluster of this folder, in that order. */
export const resolveServers = (io: Io, given: string | undefined): string[] => {
  if (given !== undefined) return splitAddresses('--server', given);
  const fromEnv = io.env['CADASTRE_SERVER'];
  if (fromEnv) return splitAddresses('CADASTRE_SERVER', fromEnv);
  const folder = findClusterFolder(io.cwd);
  const cluster = folder && readClusterFile(folder);
  if (!cluster)
    throw new CadastreError('FAILED_PRECONDITION', 'no cluster is known here', {
      field: 'server',
      remedy: 'start one with: cadastre up; or give --server host:port, or set CADASTRE_SERVER',
    });
  return cluster.controlPlanes.map((c) => c.grpc);
};

export const splitAddresses = (field: string, text: string): string[] => {
  const addresses = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  if (addresses.length === 0) throw invalid(field, 'is empty', 'give host:port, several with commas');
  for (const address of addresses)
    if (!/^\S+:\d{1,5}$/.test(address))
      throw invalid(field, `"${address}" is no address`, 'give host:port, such as 127.0.0.1:7400');
  return addresses;
};

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { CadastreError, invalid } from '@cadastre/core';
import type { Transport } from '@cadastre/contracts';
import type { ClusterFile } from '../cluster-file.js';
import { METRICS_TARGETS_FILE } from '../cluster-file.js';
import { facts } from '../format.js';
import { EXIT, type ExitCode } from '../io.js';
import { OperatorCalls } from '../operator-calls.js';
import type { Bootstrap } from '../supervisor/bootstrap.js';
import { bootstrapAccess } from '../supervisor/bootstrap.js';
import { serveControl, socketPath } from '../supervisor/control-socket.js';
import { transportOf } from '../certificates/credentials.js';
import { LocalSecurity } from '../supervisor/local-security.js';
import { LocalCluster } from '../supervisor/local-cluster.js';
import { checkCount } from '../supervisor/topology.js';
import { lockFolder } from '../supervisor/up-lock.js';
import type { Context, Session } from './context.js';
import { act } from './context.js';

interface UpOptions {
  readonly agents?: string;
  readonly zones: string;
  readonly racks: string;
  readonly controlPlanes: string;
  readonly routers: string;
  readonly data: string;
  readonly etcdEndpoints?: string;
  readonly ephemeral?: boolean;
  readonly access: string;
  readonly tls?: boolean;
}

export const addUpCommand = (program: Command, session: Session): void => {
  const up = program
    .command('up')
    .description(
      'run a whole cluster on this machine: etcd, control planes, storage agents. Ctrl-C ends it; its data stays',
    )
    .option('--agents <n>', 'storage agents: 6 in a new cluster; more than there are adds some')
    .option('--zones <n>', 'zones they are spread over', '3')
    .option('--racks <n>', 'racks a zone', '2')
    .option('--control-planes <n>', 'control-plane replicas', '2')
    .option('--routers <n>', 'routers, for programs without the smart client', '1')
    .option('--data <folder>', 'where all its data, logs and state lie', '.cadastre')
    .option('--etcd-endpoints <urls>', 'use this etcd instead of one of our own (or CADASTRE_ETCD_ENDPOINTS)')
    .option('--access <mode>', 'open: everybody on this machine may do all; required: sign in first', 'open')
    .option('--tls', 'mutual TLS everywhere, etcd included, by a development CA in the data folder')
    .option('--ephemeral', 'a new cluster on free ports that leaves nothing behind');
  act<UpOptions>(session, up, runUp);
};

const runUp = async (context: Context, _args: string[], options: UpOptions): Promise<ExitCode> => {
  const { io } = context;
  const folder = options.ephemeral ? mkdtempSync(join(tmpdir(), 'cadastre-')) : resolve(io.cwd, options.data);
  mkdirSync(folder, { recursive: true });
  const unlock = lockFolder(folder);
  try {
    return await runCluster(context, options, folder);
  } finally {
    unlock();
    if (options.ephemeral) rmSync(folder, { recursive: true, force: true });
  }
};

const runCluster = async (context: Context, options: UpOptions, folder: string): Promise<ExitCode> => {
  const { io, out } = context;
  if (options.access !== 'open' && options.access !== 'required')
    throw invalid('--access', `"${options.access}" is unknown`, 'use open or required');
  const bootstrap = options.access === 'required' ? bootstrapAccess(folder) : undefined;
  const interrupted = new AbortController();
  const off = io.onInterrupt(() => interrupted.abort());
  const stopped = new Promise<void>((done) =>
    interrupted.signal.addEventListener('abort', () => done(), { once: true }),
  );
  const cluster = new LocalCluster(clusterOptions(context, options, folder, bootstrap));
  const socket = await serveControl(socketPath(folder), (request) => cluster.handle(request));
  try {
    const starting = cluster.start();
    starting.catch(() => undefined); // after an interrupt nobody waits for it
    const state = await Promise.race([starting, stopped]);
    if (state) {
      out.result({ event: 'ready', ...state }, () => welcome(state, folder, bootstrap));
      await stopped;
    }
    out.say('ending: control planes, agents, etcd');
    return EXIT.ok;
  } finally {
    off();
    socket.close();
    await cluster.stop();
  }
};

const clusterOptions = (
  { io, out, programs }: Context,
  options: UpOptions,
  folder: string,
  bootstrap: Bootstrap | undefined,
): ConstructorParameters<typeof LocalCluster>[0] => {
  const security = options.tls ? new LocalSecurity(join(folder, 'tls'), 'cadastre', io.clock) : undefined;
  const operator = security?.operator(nameOf(io.user));
  const transport = transportOf(io, operator);
  const endpoints = options.etcdEndpoints ?? io.env['CADASTRE_ETCD_ENDPOINTS'];
  return {
    folder,
    agents: options.agents === undefined ? undefined : checkCount('--agents', options.agents, 1, 64),
    topology: {
      zones: checkCount('--zones', options.zones, 1, 64),
      racksPerZone: checkCount('--racks', options.racks, 1, 64),
    },
    controlPlanes: checkCount('--control-planes', options.controlPlanes, 1, 9),
    routers: checkCount('--routers', options.routers, 0, 9),
    etcdEndpoints: endpoints
      ? endpoints.split(',').map((e) => (e.includes('://') ? e.trim() : `http://${e.trim()}`))
      : undefined,
    anyPorts: options.ephemeral ?? false,
    programs: programs(),
    env: io.env,
    clock: io.clock,
    random: io.random,
    say: (line) => (out.json ? out.warn(line) : out.say(line)),
    ...(bootstrap && { accessFile: bootstrap.accessFile }),
    ...(security && { security, operator: operator! }),
    isReady: (servers, nodes) => clusterIsReady(servers, nodes, transport, bootstrap?.token),
  };
};

/** A user's name as it can stand in a URI. */
const nameOf = (user: string): string => user.replace(/[^A-Za-z0-9._-]/g, '-') || 'me';

const clusterIsReady = async (
  servers: readonly string[],
  nodes: number,
  transport: Transport,
  bearer?: string,
): Promise<boolean> => {
  const calls = new OperatorCalls(servers, { deadlineMs: 2_000, bearer, transport });
  try {
    const status = await calls.status();
    return status.active !== '' && status.nodesUp >= nodes;
  } catch (error) {
    if (CadastreError.from(error).code === 'UNIMPLEMENTED') throw error;
    return false;
  } finally {
    calls.close();
  }
};

const welcome = (state: ClusterFile, folder: string, bootstrap: Bootstrap | undefined): string => {
  const zones = new Set(state.agents.map((a) => a.zone)).size;
  const lines = facts([
    ['dashboard', state.controlPlanes.map((c) => `${state.tls ? 'https' : 'http'}://${c.http}`).join('  ')],
    ['control planes', state.controlPlanes.map((c) => c.grpc).join('  ')],
    ['etcd', `${state.etcd.endpoints.join('  ')}${state.etcd.version ? `  (${state.etcd.version})` : ''}`],
    ['agents', `${state.agents.length} in ${zones} zones: ${state.agents.map((a) => a.id).join(' ')}`],
    ...((state.routers?.length ?? 0) > 0
      ? [['routers', state.routers!.map((r) => r.address).join('  ')] as [string, string]]
      : []),
    ...metricsFacts(state, folder),
    ...(state.tls
      ? [
          ['authority', `${join(folder, 'tls', 'ca', 'ca.crt')} (for the browser; the command line believes it)`] as [
            string,
            string,
          ],
        ]
      : []),
    ['data and logs', folder],
  ]);
  return `\nthe cluster is up\n\n${lines}\ntry next, in another terminal in this folder:\n${[...(bootstrap ? firstUser(bootstrap) : []), ...NEXT].map((line) => `  ${line}\n`).join('')}\nCtrl-C ends it; its data stays\n`;
};

const metricsFacts = ({ controlPlanes, agents, routers = [] }: ClusterFile, folder: string): [string, string][] => {
  const [first, ...others] = [...controlPlanes, ...agents, ...routers].flatMap(({ metrics }) => metrics ?? []);
  if (first === undefined) return [];
  const more = others.length > 0 ? `, and ${others.length} more in ${join(folder, METRICS_TARGETS_FILE)}` : '';
  return [['metrics', `http://${first}/metrics${more}`]];
};

/** The token may do all; it is there to make users, who then sign in. */
const firstUser = ({ tokenFile }: Bootstrap): string[] => [
  `npx cadastre user add ${'$USER'} --role admin --token-file ${tokenFile}`,
  'npx cadastre login',
];

const NEXT = [
  'npx cadastre keyspace create orders --partitions 64',
  'npx cadastre kv put orders hello world && npx cadastre kv get orders hello',
  'npx cadastre agent add && npx cadastre plan propose; npx cadastre plan approve latest --watch',
  'npx cadastre status --watch',
];

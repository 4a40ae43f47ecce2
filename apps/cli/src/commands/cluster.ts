import type { Command } from 'commander';
import { delay } from '@cadastre/runtime';
import type { Wire } from '@cadastre/contracts';
import { facts, table } from '../format.js';
import { EXIT } from '../io.js';
import { keyspaceTable } from './keyspace.js';
import type { Session } from './context.js';
import { act } from './context.js';

const WATCH_PERIOD_MS = 1_000;

export const addClusterCommands = (program: Command, session: Session): void => {
  const status = program
    .command('status')
    .description('the cluster in a few lines')
    .option('--watch', 'until Ctrl-C; with --json a document a line');
  act<{ watch?: boolean }>(session, status, async ({ io, out, operator }, _, { watch = false }) => {
    const calls = operator();
    if (!watch) {
      const now = await calls.status();
      out.result(now, () => statusText(now));
      return EXIT.ok;
    }
    const controller = new AbortController();
    const off = io.onInterrupt(() => controller.abort());
    while (!controller.signal.aborted) {
      const now = await calls.status();
      if (out.live) out.redraw(statusText(now));
      else out.result(now, () => `${statusText(now)}\n`);
      await delay(io.clock, WATCH_PERIOD_MS, controller.signal);
    }
    off();
    return EXIT.ok;
  });
  const locate = program.command('locate').argument('<keyspace>').argument('<key>').description('where a key lives');
  act(session, locate, async ({ out, operator }, [keyspace, key]) => {
    const found = await operator().locate({ keyspace: keyspace!, key: Buffer.from(key!) });
    out.result(found, () => locateText(keyspace!, found));
  });
};

const statusText = (s: Wire.StatusReply__Output): string =>
  facts([
    ['cluster', s.clusterId],
    ['health', s.health],
    ['nodes', `${s.nodesUp} of ${s.nodesTotal} up`],
    ['controller', s.active ? `${s.active} at ${s.activeAddress}, term ${s.term}` : 'none is active'],
    ['open plan', s.openPlan || 'none'],
    ['watchers', s.watchers],
    ['etcd', s.etcdVersion || '?'],
    ['answered by', s.replica],
  ]) + (s.keyspaces.length > 0 ? `\n${keyspaceTable(s.keyspaces)}` : '');

const locateText = (keyspace: string, found: Wire.LocateReply__Output): string => {
  const addresses = new Map(found.nodes.map((n) => [n.id, n.address]));
  const head = facts([
    ['partition', `${keyspace}/${found.partition}`],
    ['epoch', found.record?.epoch ?? '?'],
    ['generation', found.generation ? `${found.generation.incarnation}.${found.generation.number}` : '?'],
  ]);
  const rows = table(found.record?.replicas ?? [], [
    { title: 'NODE', value: (r) => r.node },
    { title: 'ROLE', value: (r) => r.role.toLowerCase() },
    { title: 'STATE', value: (r) => r.state.toLowerCase() },
    { title: 'IN SYNC', value: (r) => (r.inSync ? 'yes' : 'no') },
    { title: 'ADDRESS', value: (r) => addresses.get(r.node) ?? '?' },
  ]);
  return `${head}\n${rows}`;
};

import type { Command } from 'commander';
import { delay } from '@cadastre/runtime';
import type { Wire } from '@cadastre/contracts';
import { facts } from '../format.js';
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

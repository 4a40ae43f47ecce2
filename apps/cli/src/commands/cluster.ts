import type { Command } from 'commander';
import { delay } from '@cadastre/runtime';
import type { Wire } from '@cadastre/contracts';
import { count, duration, facts, table } from '../format.js';
import { EXIT } from '../io.js';
import { keyspaceTable } from './keyspace.js';
import type { Session } from './context.js';
import { act } from './context.js';

const WATCH_PERIOD_MS = 1_000;

export const addClusterCommands = (program: Command, session: Session): void => {
  const status = program
    .command('status')
    .description('the cluster in a few lines')
    .option('--watchers', 'who follows the map at the replica that answers: how far they are, and who lags')
    .option('--watch', 'until Ctrl-C; with --json a document a line');
  act<{ watch?: boolean; watchers?: boolean }>(session, status, async ({ io, out, operator }, _, options) => {
    const { watch = false, watchers = false } = options;
    const calls = operator();
    if (watchers) {
      const now = await calls.watchers();
      out.result(now, () => watchersText(now));
      return EXIT.ok;
    }
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

const watchersText = (w: Wire.ListWatchersReply__Output): string => {
  const generation = (g: Wire.Generation__Output | null): string => (g ? `${g.incarnation}.${g.number}` : '?');
  const keyspaces = table(w.keyspaces, [
    { title: 'KEYSPACE', value: (k) => k.keyspace },
    { title: 'GENERATION', align: 'right', value: (k) => generation(k.generation) },
    { title: 'WATCHERS', align: 'right', value: (k) => count(k.watchers) },
    { title: 'CONVERGED', align: 'right', value: (k) => count(k.converged) },
    { title: 'LAG P50', align: 'right', value: (k) => (k.lagReports > 0 ? duration(k.lagP50Ms) : '-') },
    { title: 'P99', align: 'right', value: (k) => (k.lagReports > 0 ? duration(k.lagP99Ms) : '-') },
    { title: 'MAX', align: 'right', value: (k) => (k.lagReports > 0 ? duration(k.lagMaxMs) : '-') },
  ]);
  const laggards = table(w.laggards, [
    { title: 'LAGS', value: (l) => l.watcher },
    { title: 'FROM', value: (l) => l.peer },
    { title: 'BEHIND', align: 'right', value: (l) => (l.needsWhole ? 'a whole map' : count(l.behind)) },
    { title: 'APPLIED', value: (l) => l.applied.map((a) => `${a.keyspace} ${generation(a.generation)}`).join(', ') },
  ]);
  const head = facts([
    ['watchers', count(w.watchers)],
    ['answered by', w.replica],
  ]);
  return [head, w.keyspaces.length > 0 ? `\n${keyspaces}` : '', w.laggards.length > 0 ? `\n${laggards}` : ''].join('');
};

const windowText = (w: Wire.PlanWindow__Output): string =>
  w.open
    ? `${w.name} is open until ${new Date(w.closesMs).toISOString()} (${w.zone})`
    : `${w.name} opens at ${new Date(w.opensMs).toISOString()} (${w.zone}): no move begins before`;

const freezeText = ({ by, actor, because }: Wire.StatusReply__Output['freezes'][number]): string =>
  `FROZEN by ${by === 'person' ? actor : 'automation'}: ${because} (when that is over: cadastre unfreeze --by ${by} --reason TEXT)\n`;

const statusText = (s: Wire.StatusReply__Output): string =>
  s.freezes.map(freezeText).join('') +
  facts([
    ['cluster', s.clusterId],
    ['health', s.health],
    ...s.warnings.map((w) => [w.level, `${w.what} -- ${w.remedy}`] as const),
    ...(s.window ? [['window', windowText(s.window)] as const] : []),
    ['nodes', `${s.nodesUp} of ${s.nodesTotal} up`],
    ['controller', s.active ? `${s.active} at ${s.activeAddress}, term ${s.term}` : 'none is active'],
    ['open plan', s.openPlan || 'none'],
    ['watchers', s.watchers],
    ['etcd', s.etcdVersion || '?'],
    ['answered by', s.replica],
  ]) +
  (s.keyspaces.length > 0 ? `\n${keyspaceTable(s.keyspaces)}` : '');

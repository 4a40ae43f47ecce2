import type { Wire } from '@cadastre/contracts';
import { approvalText } from './approval-text.js';
import { bar, bytes, change, count, duration, facts, percent, plural, table } from '../format.js';

type Plan = Wire.Plan__Output;
type Move = Wire.PlanMove__Output;

const ENDED = new Set(['rejected', 'superseded', 'expired', 'completed', 'cancelled', 'failed']);

export const isOpen = (plan: Pick<Plan, 'state'>): boolean => !ENDED.has(plan.state);

const moment = (ms: number): string => (ms > 0 ? new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z') : '-');

export const planTable = (plans: readonly Plan[]): string =>
  table(plans, [
    { title: 'PLAN', value: (p) => p.id },
    { title: 'STATE', value: (p) => p.state },
    { title: 'REPLICAS', align: 'right', value: (p) => count(p.cost?.replicaMoves ?? 0) },
    { title: 'LEADERS', align: 'right', value: (p) => count(p.cost?.leaderTransfers ?? 0) },
    { title: 'MOVES DONE', align: 'right', value: (p) => count(p.movesDone) },
    { title: 'BYTES', align: 'right', value: (p) => bytes(p.cost?.bytes ?? 0) },
    { title: 'CREATED', value: (p) => moment(p.createdMs) },
    { title: 'BY', value: (p) => p.proposer },
    { title: 'REASON', value: (p) => p.reason },
  ]);

export const planSummary = (plan: Plan): string => {
  const { cost } = plan;
  const lines = facts([
    ['plan', `${plan.id} (${plan.state})`],
    ['digest', plan.digest],
    ['reason', plan.reason || '-'],
    ['proposed', `${moment(plan.createdMs)} by ${plan.proposer || '-'}`],
    ...(isOpen(plan) && plan.expiresMs > 0 ? ([['expires', moment(plan.expiresMs)]] as const) : []),
    [
      'base',
      plan.base
        .map((b) => `${b.keyspace} at ${b.generation?.incarnation ?? 0}.${b.generation?.number ?? 0}`)
        .join(', ') || '-',
    ],
    [
      'moves',
      cost
        ? `${plural(cost.replicaMoves, 'replica')}, ${plural(cost.leaderTransfers, 'change')} of leader, ${bytes(cost.bytes)}`
        : '-',
    ],
    ['lower bound', cost ? boundText(cost) : '-'],
    ...(cost?.because ?? []).slice(0, BECAUSE_SHOWN).map((line, i) => [i === 0 ? 'because' : '', line] as const),
    ...(cost ? scoresText(cost) : []),
    ...(plan.rehearsal ? ([['risk', plan.rehearsal.summary]] as const) : []),
    [
      'done',
      `${count(plan.movesDone)} of ${count(plan.moves.length)}${plan.movesFailed > 0 ? `, ${count(plan.movesFailed)} failed` : ''}`,
    ],
    ['approvals', approvalText(plan)],
    ...plan.approvalsBecause.map((line) => ['', line] as const),
    ...(plan.window
      ? [['window', `${plan.window.name}: fits ${plan.window.fits}; ${plan.window.because}`] as const]
      : []),
    ...(plan.askedBy.length > 0 ? [['asked by', plan.askedBy.join(', ')] as const] : []),
    ...(plan.undoOf ? [['undoes', plan.undoOf] as const] : []),
    ...(plan.progress ? [['progress', progressLine(plan.progress)] as const] : []),
    ...plan.staleBecause.slice(0, BECAUSE_SHOWN).map((line, i) => [i === 0 ? 'STALE' : '', line] as const),
    ['allowed now', plan.allowedActions.join(', ') || 'nothing'],
    ...plan.refusedActions.map((r) => ['not you', `${r.action}: ${r.because}`] as const),
    ...(plan.note ? ([['note', plan.note]] as const) : []),
  ]);
  return plan.nodes.length === 0 ? lines : `${lines}\n${nodesTable(plan.nodes)}`;
};

const progressLine = (p: Wire.PlanProgress__Output): string => {
  const eta = p.etaHighMs > 0 ? `, ${duration(p.etaLowMs)} to ${duration(p.etaHighMs)} left` : '';
  const rate = p.bytesPerSecond > 0 ? ` at ${bytes(p.bytesPerSecond)}/s` : '';
  const why = p.because ? ` (${p.because})` : '';
  return `${p.condition}${why}: ${bytes(p.bytesDone)} of ${bytes(p.bytesTotal)}${rate}${eta}`;
};

const BECAUSE_SHOWN = 5;

const figure = (value: number): string => String(Math.round(value * 1_000) / 1_000);

const scoresText = (cost: Wire.PlanCost__Output): (readonly [string, string])[] => [
  ...(cost.scores.length > 0
    ? [['scores', cost.scores.map((s) => `${s.name} ${figure(s.before)} -> ${figure(s.after)}`).join(', ')] as const]
    : []),
  ...(cost.violationsBefore > 0 || cost.violationsAfter > 0
    ? [['violations', change(cost.violationsBefore, cost.violationsAfter)] as const]
    : []),
  ...(cost.estimateMs > 0
    ? [
        [
          'estimate',
          `${duration(cost.estimateMs)}, between ${duration(cost.estimateLowMs)} and ${duration(cost.estimateHighMs)}`,
        ] as const,
      ]
    : []),
];

const boundText = (cost: Wire.PlanCost__Output): string => {
  const minimal =
    cost.replicaMoves === cost.lowerBoundMoves
      ? 'this plan is minimal'
      : `this plan has ${count(cost.replicaMoves - cost.lowerBoundMoves)} more`;
  return `${plural(cost.lowerBoundMoves, 'replica move')}: ${minimal}${cost.boundBecause ? ` (${cost.boundBecause})` : ''}`;
};

/** Why nothing is to be done, and how it stands. */
export const nothingText = ({ nothingBecause, scores }: Wire.ProposePlanReply__Output): string => {
  const standing = scores.map((s) => `${s.name} ${figure(s.before)}`).join(', ');
  return `nothing to do: ${nothingBecause}${standing === '' ? '' : ` (${standing})`}\n`;
};

const nodesTable = (nodes: readonly Wire.NodeChange__Output[]): string =>
  table(nodes, [
    { title: 'NODE', value: (n) => n.node },
    { title: 'REPLICAS', value: (n) => change(n.replicasBefore, n.replicasAfter) },
    { title: 'LEADERS', value: (n) => change(n.leadersBefore, n.leadersAfter) },
  ]);

export const movesTable = (moves: readonly Move[]): string =>
  table(moves, [
    { title: '#', align: 'right', value: (m) => m.index },
    { title: 'STEP', align: 'right', value: (m) => m.step },
    { title: 'PARTITION', value: (m) => `${m.keyspace}/${m.partition}` },
    { title: 'KIND', value: (m) => m.kind },
    { title: 'FROM', value: (m) => m.from || '-' },
    { title: 'TO', value: (m) => m.to || '-' },
    { title: 'BYTES', align: 'right', value: (m) => bytes(m.bytes) },
    { title: 'PHASE', value: (m) => m.phase },
    { title: 'REASON', value: (m) => (m.note ? `${m.reason}; ${m.note}` : m.reason) },
  ]);

const QUIET = new Set(['', 'pending', 'planned', 'waiting', 'done', 'skipped']);
const SHOWN = 12;

/** The page that `plan watch` redraws. */
export const progressText = (plan: Plan, nowMs: number): string => {
  const total = plan.moves.length;
  const share = total === 0 ? 1 : plan.movesDone / total;
  const head = `plan ${plan.id}  ${plan.state}${plan.note ? `: ${plan.note}` : ''}\n${bar(share)} ${percent(share)}  ${count(plan.movesDone)} of ${plural(total, 'move')}\n`;
  const line = plan.progress ? `${progressLine(plan.progress)}\n` : '';
  const busy = plan.moves.filter((m) => !QUIET.has(m.phase));
  if (busy.length === 0) return head + line;
  const rows = table(busy.slice(0, SHOWN), [
    { title: 'PARTITION', value: (m) => `${m.keyspace}/${m.partition}` },
    { title: 'MOVE', value: (m) => `${m.from || 'new'} -> ${m.to || 'gone'}` },
    { title: 'PHASE', value: (m) => m.phase },
    {
      title: 'FOR',
      align: 'right',
      value: (m) => (m.phaseSinceMs > 0 ? duration(Math.max(0, nowMs - m.phaseSinceMs)) : '-'),
    },
    {
      title: 'COPIED',
      align: 'right',
      value: (m) => (m.bytes > 0 ? `${bytes(m.bytesDone)} of ${bytes(m.bytes)}` : bytes(m.bytesDone)),
    },
    { title: 'RATE', align: 'right', value: (m) => (m.bytesPerSecond > 0 ? `${bytes(m.bytesPerSecond)}/s` : '-') },
    { title: 'NOTE', value: (m) => [m.condition, m.because || m.note].filter(Boolean).join(': ') },
  ]);
  const more = busy.length > SHOWN ? `and ${busy.length - SHOWN} more\n` : '';
  return head + line + rows + more;
};

import type { Keyspace, Move, Node, NodeChange, Plan, Rehearsal } from './api.types.js';
import { byNumber, formatCount, formatDuration, formatGeneration, plural } from './format.js';

const ENDED = new Set(['completed', 'cancelled', 'failed', 'rejected', 'superseded', 'expired']);
const STARTED = new Set(['approved', 'executing', 'paused', 'completed', 'cancelled', 'failed']);
const MOVE_ENDED = new Set(['done', 'failed', 'cancelled']);

export const isOpen = (plan: Plan | null | undefined): plan is Plan => !!plan && !ENDED.has(plan.state);
export const hasStarted = (plan: Plan): boolean => STARTED.has(plan.state);
export const phaseOf = (move: Move): string => move.phase || 'pending';
export const isInFlight = (move: Move): boolean => phaseOf(move) !== 'pending' && !MOVE_ENDED.has(phaseOf(move));

export const moveText = (move: Move): string => {
  if (move.kind === 'leader') return `leader ${move.from} → ${move.to}`;
  if (move.kind === 'add') return `add ${move.to}`;
  if (move.kind === 'remove') return `remove ${move.from}`;
  return `copy ${move.from} → ${move.to}`;
};

/** What is running first, then what comes, then what is over. */
export const byUrgency = (a: Move, b: Move): number => rank(a) - rank(b) || a.index - b.index;
const rank = (move: Move): number =>
  isInFlight(move) ? 0 : phaseOf(move) === 'failed' ? 1 : phaseOf(move) === 'pending' ? 2 : 3;

/** Before and after, of each value of a label; without the label, of each node. */
export const changesBy = (plan: Plan, nodes: readonly Node[], label: string | undefined): NodeChange[] => {
  const valueOf = new Map(nodes.map((n) => [n.id, label === undefined ? n.id : (n.labels[label] ?? `no ${label}`)]));
  const sums = new Map<string, NodeChange>();
  for (const change of plan.nodes) {
    const name = valueOf.get(change.node) ?? (label === undefined ? change.node : `no ${label}`);
    const sum = sums.get(name);
    sums.set(name, sum ? add(sum, change) : { ...change, node: name });
  }
  return [...sums.values()].sort((a, b) => byNumber(a.node, b.node));
};

const add = (a: NodeChange, b: NodeChange): NodeChange => ({
  node: a.node,
  replicasBefore: a.replicasBefore + b.replicasBefore,
  replicasAfter: a.replicasAfter + b.replicasAfter,
  leadersBefore: a.leadersBefore + b.leadersBefore,
  leadersAfter: a.leadersAfter + b.leadersAfter,
});

export interface Peak {
  readonly node: string;
  readonly bytes: number;
  readonly extra: number;
}

/** The node that grows most by what is still to come. What leaves it does not count: copies that moved away are kept for a while. */
export const peakOf = (plan: Plan, nodes: readonly Node[]): Peak | undefined => {
  const extra = new Map<string, number>();
  for (const move of plan.moves) {
    const rest = MOVE_ENDED.has(phaseOf(move)) ? 0 : move.bytes - (move.bytesDone ?? 0);
    if (rest > 0) extra.set(move.to, (extra.get(move.to) ?? 0) + rest);
  }
  const peaks = [...extra].map(([node, bytes]) => ({
    node,
    extra: bytes,
    bytes: bytes + (nodes.find((n) => n.id === node)?.bytes ?? 0),
  }));
  return peaks.sort((a, b) => b.extra - a.extra)[0];
};

export interface Check {
  readonly verdict: 'good' | 'warn' | 'bad';
  readonly text: string;
}

/** What a careful reader would verify, verified. */
export const checksOf = (plan: Plan, keyspaces: readonly Keyspace[], nowMs: number): Check[] => [
  ...(isOpen(plan) && plan.state === 'proposed' ? [freshness(plan, keyspaces), expiry(plan, nowMs)] : []),
  minimality(plan),
  oneMoveEach(plan),
  violations(plan),
  ...(plan.rehearsal ? [risk(plan.rehearsal)] : []),
];

const freshness = (plan: Plan, keyspaces: readonly Keyspace[]): Check => {
  const moved = plan.base.flatMap(({ keyspace, generation }) => {
    const now = keyspaces.find((k) => k.spec.name === keyspace)?.generation;
    if (!now) return [`${keyspace} is gone`];
    return formatGeneration(now) === formatGeneration(generation)
      ? []
      : [`${keyspace} was at ${formatGeneration(generation)}, is at ${formatGeneration(now)}`];
  });
  return moved.length === 0
    ? { verdict: 'good', text: 'The map is the one that this plan was made for.' }
    : {
        verdict: 'warn',
        text: `The map has changed since: ${moved.join('; ')}. Approval checks whether each move still holds.`,
      };
};

const expiry = (plan: Plan, nowMs: number): Check =>
  plan.expiresMs > nowMs
    ? { verdict: 'good', text: `It may wait for its decision for another ${formatDuration(plan.expiresMs - nowMs)}.` }
    : { verdict: 'bad', text: 'It has expired: propose a new one.' };

const minimality = ({ cost }: Plan): Check => {
  const above = cost.replicaMoves - cost.lowerBoundMoves;
  const bound = `${formatCount(cost.replicaMoves)} replica moves; no plan with this result has fewer than ${formatCount(cost.lowerBoundMoves)}`;
  return above <= 0
    ? { verdict: 'good', text: `Minimal: ${bound}.` }
    : { verdict: 'warn', text: `${formatCount(above)} above the bound: ${bound}.` };
};

const oneMoveEach = (plan: Plan): Check => {
  const copies = new Set<string>();
  const twice = plan.moves
    .filter((m) => m.kind === 'replica' || m.kind === 'add')
    .filter((m) => {
      const key = `${m.keyspace}/${m.partition}>${m.to}`;
      return copies.has(key) || !copies.add(key);
    });
  if (plan.moves.length < plan.movesTotal) return { verdict: 'warn', text: 'Not all moves are loaded yet.' };
  return twice.length === 0
    ? { verdict: 'good', text: 'No copy is sent to the same node twice.' }
    : { verdict: 'bad', text: `${plural(twice.length, 'copy', 'copies')} would be sent twice.` };
};

const violations = ({ cost }: Plan): Check =>
  cost.violationsAfter === 0
    ? {
        verdict: 'good',
        text: `Every rule of placement holds afterwards${cost.violationsBefore > 0 ? `; ${cost.violationsBefore} are broken now` : ''}.`,
      }
    : {
        verdict: cost.violationsAfter > cost.violationsBefore ? 'bad' : 'warn',
        text: `${plural(cost.violationsAfter, 'rule')} of placement broken afterwards, ${cost.violationsBefore} now.`,
      };

const risk = (rehearsal: Rehearsal): Check => ({
  verdict: rehearsal.raisedOnTheWay || rehearsal.verdict === 'raises' ? 'warn' : 'good',
  text: rehearsal.summary,
});

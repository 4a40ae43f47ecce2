import { describeRule, meetsRule } from '../policy/labels.js';
import type { Aims } from '../placement/shares.js';
import type { ClusterModel } from './model.js';
import { DRAINING } from './model.js';
import type { Change } from './sequence.js';
import type { Solution } from './solve.js';

const figure = (value: number): string => String(Math.round(value * 10) / 10);

/** One line that an operator understands. */
export const reasonOf = (model: ClusterModel, solution: Solution, change: Change): string => {
  const { ids, known, state } = model.nodes;
  const { columns, board } = solution;
  const partition = columns.ids[change.part]!;
  const from = ids[change.from] ?? '';
  const to = ids[change.to] ?? '';
  const wanted = board.classFor(change.part).policy.replicationFactor;
  const too = `partition ${partition} has more than ${wanted} copies`;
  switch (change.cause) {
    case 'down': {
      const gone = `${from} is ${known[change.from] === 1 ? 'down' : 'not a known node'}`;
      return change.kind === 'remove'
        ? `${gone}; ${too}`
        : `${gone}; its copy of partition ${partition} is rebuilt on ${to}`;
    }
    case 'short': {
      const { stride, replicas } = columns;
      let copies = 0;
      for (let k = change.part * stride; k < (change.part + 1) * stride; k += 1) if (replicas[k]! >= 0) copies += 1;
      return `partition ${partition} has ${copies} of ${wanted} copies; one is built on ${to}`;
    }
    case 'spread':
      return `${from} shares a failure domain with other copies of partition ${partition} beyond what the spread allows`;
    case 'rule':
      return `${from} may not hold partition ${partition}: ${ruleBroken(model, solution, change)}`;
    case 'draining':
      return `${from} is draining`;
    case 'manual':
      return `asked for by ${solution.manual.get(change.part)?.by ?? 'an operator'}: from ${from} to ${to}`;
    case 'excess':
      return `${too}; ${from} can spare its copy best`;
    case 'balance':
      return compare(model, change, solution.replicasBefore, solution.replicaAims, 'replicas');
    case 'leaders':
      return state[change.from] === DRAINING
        ? `${from} is draining`
        : compare(model, change, solution.leadersBefore, solution.leaderAims, 'leaders');
  }
};

const ruleBroken = (model: ClusterModel, { board }: Solution, { from, part }: Change): string => {
  const { policy } = board.classFor(part);
  const labels = model.nodes.labels[from]!;
  const missed = policy.required.find((rule) => !meetsRule(labels, rule));
  if (missed) return `the policy requires ${describeRule(missed)}`;
  const hit = policy.forbidden.find((rule) => meetsRule(labels, rule));
  if (hit) return `the policy forbids ${describeRule(hit)}`;
  return 'the node is kept for other tenants';
};

const compare = (
  { nodes }: ClusterModel,
  { from, to }: Change,
  count: Int32Array,
  aims: Aims,
  what: string,
): string => {
  const head = `${nodes.ids[to]} has ${count[to]} of its share of ${figure(aims.share[to]!)} ${what}`;
  return from < 0 ? head : `${head}; ${nodes.ids[from]} has ${count[from]}, share ${figure(aims.share[from]!)}`;
};

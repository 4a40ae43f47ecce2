// The baseline: what a balancer without foresight does. Copies of nodes that are gone go to the emptiest allowed node; then the fullest
// node gives to the emptiest until all are within one of their share. It keeps hard spread, looks one move ahead, and proves nothing.

/** With unequal weights it wanders for minutes. */
const STOP_MS = 10_000;

/**
 * @param {{ nodes: object[], rf: number, spread: Record<string, number>, rows: Int32Array, stride: number }} given
 *   rows: partitions x stride, positions in `nodes`, -1 for none
 * @returns {{ moves: number, ms: number, worst: number, ended: boolean }} worst: most replicas over or under the weighted share;
 *   `ended` is false where it was stopped
 */
export function greedy({ nodes, rf, spread, rows, stride }) {
  const began = performance.now();
  const partitions = rows.length / stride;
  const board = boardOf({ nodes, rf, spread, rows, stride, partitions });
  let moves = 0;
  for (let p = 0; p < partitions; p += 1) while (board.held[p].length < rf && board.fill(p)) moves += 1;
  let ended = false;
  while (performance.now() - began < STOP_MS) {
    ended = !board.even();
    if (ended) break;
    moves += 1;
  }
  return { moves, ms: performance.now() - began, worst: board.worst(), ended };
}

function boardOf({ nodes, rf, spread, rows, stride, partitions }) {
  const labels = Object.keys(spread);
  const domains = labels.map((label) => nodes.map((n) => domainOf(n, label)));
  const isUp = nodes.map((n) => n.state === 'up');
  const weight = nodes.reduce((sum, n, i) => sum + (isUp[i] ? n.weight : 0), 0);
  const share = nodes.map((n, i) => (isUp[i] ? (partitions * rf * n.weight) / weight : 0));
  const count = new Int32Array(nodes.length);
  const on = nodes.map(() => new Set());
  const held = Array.from({ length: partitions }, (_, p) =>
    [...rows.subarray(p * stride, (p + 1) * stride)].filter((n) => n >= 0 && isUp[n]),
  );
  held.forEach((row, p) => row.forEach((n) => put(p, n)));
  // Nodes by how far they are from their share, kept in order: only two change with each move.
  const order = nodes.map((_, i) => i).filter((i) => isUp[i]);
  order.sort((a, b) => load(a) - load(b));
  const at = new Int32Array(nodes.length);
  order.forEach((n, i) => (at[n] = i));

  function load(n) {
    return count[n] - share[n];
  }
  function put(p, n) {
    count[n] += 1;
    on[n].add(p);
  }
  function swap(i, j) {
    [order[i], order[j]] = [order[j], order[i]];
    at[order[i]] = i;
    at[order[j]] = j;
  }
  function resort(n) {
    while (at[n] > 0 && load(order[at[n] - 1]) > load(n)) swap(at[n], at[n] - 1);
    while (at[n] < order.length - 1 && load(order[at[n] + 1]) < load(n)) swap(at[n], at[n] + 1);
  }
  function fits(p, n, without) {
    if (held[p].includes(n)) return false;
    return labels.every((label, l) => {
      let same = 0;
      for (const other of held[p]) if (other !== without && domains[l][other] === domains[l][n]) same += 1;
      return same < spread[label];
    });
  }
  return {
    held,
    fill(p) {
      const n = order.find((each) => fits(p, each, -1));
      if (n === undefined) return false;
      held[p].push(n);
      put(p, n);
      resort(n);
      return true;
    },
    /** One move from the fullest to the emptiest node that can take any of its copies; false when none helps. */
    even() {
      const from = order.at(-1);
      for (const to of order) {
        if (load(from) - load(to) <= 1 + 1e-9) return false;
        for (const p of on[from]) {
          if (!fits(p, to, from)) continue;
          held[p][held[p].indexOf(from)] = to;
          on[from].delete(p);
          count[from] -= 1;
          put(p, to);
          resort(from);
          resort(to);
          return true;
        }
      }
      return false;
    },
    worst: () => order.reduce((most, n) => Math.max(most, Math.abs(load(n))), 0),
  };
}

const domainOf = (n, label) => (label === 'rack' ? `${n.labels.zone}/${n.labels.rack}` : (n.labels[label] ?? ''));

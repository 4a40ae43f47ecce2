// The baseline: what a balancer without foresight does. Copies of nodes that are gone go to the emptiest allowed node; then the fullest
// node gives to the emptiest until all are within one of their share. It keeps hard spread, looks one move ahead, and proves nothing.

/**
 * @param {{ nodes: object[], rf: number, spread: Record<string, number>, replicas: string[][] }} given replicas: node ids by partition
 * @returns {{ moves: number, ms: number, worst: number }} worst: most replicas over or under the weighted share
 */
export function greedy({ nodes, rf, spread, replicas }) {
  const began = performance.now();
  const up = nodes.filter((n) => n.state === 'up');
  const board = boardOf(up, rf, spread, replicas);
  let moves = 0;
  for (let p = 0; p < replicas.length; p += 1) while (board.held[p].length < rf && board.fill(p)) moves += 1;
  while (board.even()) moves += 1;
  return { moves, ms: performance.now() - began, worst: board.worst() };
}

function boardOf(up, rf, spread, replicas) {
  const index = new Map(up.map((n, i) => [n.id, i]));
  const labels = Object.keys(spread);
  const domains = labels.map((label) => up.map((n) => domainOf(n, label)));
  const weight = up.reduce((sum, n) => sum + n.weight, 0);
  const share = up.map((n) => (replicas.length * rf * n.weight) / weight);
  const count = new Int32Array(up.length);
  const on = up.map(() => new Set());
  const held = replicas.map((row) => row.map((id) => index.get(id)).filter((n) => n !== undefined));
  held.forEach((row, p) => row.forEach((n) => put(p, n)));
  // Nodes by how far they are from their share, kept in order: only two change with each move.
  const order = up.map((_, i) => i).sort((a, b) => load(a) - load(b));
  const at = new Int32Array(up.length);
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
    worst: () => up.reduce((most, _, n) => Math.max(most, Math.abs(load(n))), 0),
  };
}

const domainOf = (n, label) => (label === 'rack' ? `${n.labels.zone}/${n.labels.rack}` : (n.labels[label] ?? ''));

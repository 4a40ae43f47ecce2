/**
 * Finds cycles in a graph of files, `Map<path, path[]>`. Returns one shortest cycle for each group of files that reach
 * each other, as the list of paths walked, the first repeated at its end. Pure.
 */
export function findCycles(graph) {
  return components(graph)
    .filter((group) => group.length > 1 || (graph.get(group[0]) ?? []).includes(group[0]))
    .map((group) => shortestCycle(graph, new Set(group)))
    .sort((a, b) => (a[0] < b[0] ? -1 : 1));
}

// Tarjan, "Depth-first search and linear graph algorithms", 1972.
function components(graph) {
  const order = new Map();
  const low = new Map();
  const open = [];
  const isOpen = new Set();
  const groups = [];
  const walk = (path) => {
    order.set(path, order.size);
    low.set(path, order.get(path));
    open.push(path);
    isOpen.add(path);
    for (const next of graph.get(path) ?? []) {
      if (!order.has(next)) walk(next);
      if (isOpen.has(next)) low.set(path, Math.min(low.get(path), low.get(next)));
    }
    if (low.get(path) === order.get(path)) groups.push(closeGroup(path));
  };
  const closeGroup = (path) => {
    const group = open.splice(open.indexOf(path));
    for (const each of group) isOpen.delete(each);
    return group;
  };
  for (const path of graph.keys()) if (!order.has(path)) walk(path);
  return groups;
}

function shortestCycle(graph, group) {
  let best;
  for (const start of [...group].sort()) {
    const cycle = cycleThrough(graph, group, start);
    if (!best || cycle.length < best.length) best = cycle;
  }
  return best;
}

function cycleThrough(graph, group, start) {
  const queue = [[start]];
  const seen = new Set();
  for (const walked of queue) {
    for (const next of graph.get(walked.at(-1)) ?? []) {
      if (next === start) return [...walked, start];
      if (!group.has(next) || seen.has(next)) continue;
      seen.add(next);
      queue.push([...walked, next]);
    }
  }
  throw new Error(`no cycle through ${start}`);
}

// The planner's scenarios as data: a cluster placed from nothing, then sets of nodes, one plan for each. Pure and seeded, so that every
// process that builds one builds the same.

/** @typedef {{ id: string, labels: Record<string, string>, weight: number, state: 'up' | 'draining' | 'down' }} Node */

/** A generator of numbers from 0 to 1 (mulberry32). */
export function seeded(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

const node = (id, zone, rack, weight = 1) => ({ id, labels: { zone, rack }, weight, state: 'up' });
const pad = (i) => String(i).padStart(5, '0');

/** Zones by turns, racks by turns within a zone. */
export function grid(zones, racks, perRack, weightOf = () => 1) {
  return Array.from({ length: zones * racks * perRack }, (_, i) =>
    node(`n${pad(i)}`, `z${i % zones}`, `r${Math.floor(i / zones) % racks}`, weightOf(i)),
  );
}

const more = (count, zoneOf, racks, weight = 1) =>
  Array.from({ length: count }, (_, i) => node(`new${i}`, zoneOf(i), `r${i % racks}`, weight));
const inRack = (n, zone, rack) => n.labels.zone === zone && n.labels.rack === rack;
const rackLost = (nodes) => nodes.map((n) => (inRack(n, 'z0', 'r0') ? { ...n, state: 'down' } : n));
const named = (what, nodes) => ({ what, nodes });

/** Joins, drains, deaths and new weights, each on the cluster that the one before left. */
function changes(nodes, count, seed) {
  const random = seeded(seed);
  const pick = (list) => list[Math.floor(random() * list.length)];
  let now = nodes;
  return Array.from({ length: count }, (_, i) => {
    const kind = pick(['join', 'remove', 'reweight']);
    const like = pick(now);
    if (kind === 'join') now = [...now, { ...like, id: `j${pad(i)}`, weight: pick([1, 2, 4]) }];
    if (kind === 'remove') now = now.filter((n) => n !== like);
    if (kind === 'reweight')
      now = now.map((n) => (n === like ? { ...n, weight: n.weight === 4 ? 1 : n.weight * 2 } : n));
    return named(kind, now);
  });
}

const three = { rf: 3, spread: { zone: 1 } };
const thousand = () => grid(5, 10, 20);
const fiveThousand = () => grid(5, 20, 50);
const uneven = () =>
  [10, 7, 5].flatMap((size, rack) => Array.from({ length: size }, (_, i) => node(`k${rack}n${i}`, `z${rack}`, 'r0')));

/** Each is built when it is asked for, since the large ones take memory. `wanted` marks those without sizes, where ratio 1 is due. */
export const SCENARIOS = {
  '1k-rf1-10-to-12': () => {
    const nodes = grid(1, 1, 12);
    return { rf: 1, spread: {}, partitions: 1_000, start: nodes.slice(0, 10), events: [named('2 nodes join', nodes)] };
  },
  '16k-60-plus-6': () => {
    const nodes = grid(3, 4, 5);
    const joined = [...nodes, ...more(6, (i) => `z${i % 3}`, 4)];
    return { ...three, partitions: 16_384, start: nodes, events: [named('2 nodes join each zone', joined)] };
  },
  '131k-1000-rack': () => {
    const nodes = thousand();
    const events = [named('a rack is lost', rackLost(nodes)), named('the rack is back', nodes)];
    return { ...three, partitions: 131_072, start: nodes, events };
  },
  '65k-weights-1-2-4': () => {
    const nodes = grid(3, 4, 6, (i) => [1, 2, 4][Math.floor(i / 12) % 3]);
    const light = new Set(nodes.filter((n) => n.weight === 1).slice(0, 6));
    const heavier = nodes.map((n) => (light.has(n) ? { ...n, weight: 4 } : n));
    return { ...three, partitions: 65_536, start: nodes, events: [named('6 nodes go from weight 1 to 4', heavier)] };
  },
  '16k-100-minus-1': () => {
    const nodes = grid(5, 4, 5);
    return { ...three, partitions: 16_384, start: nodes, events: [named('1 node is removed', nodes.slice(0, -1))] };
  },
  '16k-60-plus-6-in-one-zone': () => {
    const nodes = grid(3, 4, 5);
    const joined = [...nodes, ...more(6, () => 'z0', 4)];
    return { ...three, partitions: 16_384, start: nodes, events: [named('6 nodes join one zone', joined)] };
  },
  '16k-racks-of-10-7-5': () => {
    const nodes = uneven();
    const swapped = nodes.map((n) => (n.id.endsWith('n0') ? { ...n, id: `${n.id}-new` } : n));
    return { ...three, partitions: 16_384, start: nodes, events: [named('1 node is swapped in each rack', swapped)] };
  },
  '32k-20-changes': () => {
    const nodes = grid(5, 4, 6, (i) => [1, 2, 4][Math.floor(i / 20) % 3]);
    return { ...three, partitions: 32_768, start: nodes, events: changes(nodes, 20, 7) };
  },
  '131k-1000-rack-ten-times': () => {
    const nodes = thousand();
    const round = [named('a rack is lost', rackLost(nodes)), named('the rack is back', nodes)];
    return { ...three, partitions: 131_072, start: nodes, events: Array.from({ length: 10 }, () => round).flat() };
  },
  '16k-second-change-in-flight': () => {
    const nodes = grid(3, 4, 5);
    const first = [...nodes, ...more(6, (i) => `z${i % 3}`, 4)];
    const second = first.filter((n) => n.id !== 'n00000' && n.id !== 'n00001');
    const events = [{ ...named('6 nodes join', first), inFlight: 0.3 }, named('2 nodes are lost meanwhile', second)];
    return { ...three, partitions: 16_384, start: nodes, events };
  },
  '1m-5000-rack': () => {
    const nodes = fiveThousand();
    const events = [named('a rack is lost', rackLost(nodes)), named('the rack is back', nodes)];
    return { ...three, partitions: 1_048_576, start: nodes, events };
  },
  '75k-1000-two-loads': () => loaded(75_000, thousand()),
  '375k-5000-two-loads': () => loaded(375_000, fiveThousand()),
};

/** Placed without knowing loads; then two of them show, of which a tenth of the shards carries most, and they ask for balance. */
function loaded(partitions, nodes) {
  const random = seeded(11);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const skewed = () => Float64Array.from({ length: partitions }, () => Math.round(1_000 * Math.exp(0.75 * normal())));
  const loads = { cpu: skewed(), memory: skewed() };
  return { rf: 1, spread: {}, partitions, start: nodes, events: [{ ...named('loads show', nodes), loads }] };
}

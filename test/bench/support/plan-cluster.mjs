// A cluster as the planner's columns, between one plan and the next.
import { nodeColumns, solveCluster } from '@cadastre/core';

const byId = (a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
const asPlanned = (n) => ({
  entry: { id: n.id, address: n.id, labels: n.labels, weight: n.weight },
  state: n.state,
});
const columnsOfNodes = (nodes) => nodeColumns(nodes.map(asPlanned));

/** Copies of one keyspace over named nodes: partitions x stride, the leader first. */
export class BenchCluster {
  constructor({ rf, spread, partitions, start }) {
    this.source = {
      name: 'bench',
      replicationFactor: rf,
      minInSync: Math.floor(rf / 2) + 1,
      spread: Object.entries(spread).map(([label, maxPerDomain]) => ({ label, maxPerDomain, hard: true })),
    };
    this.partitions = partitions;
    this.stride = rf;
    this.nodes = [...start].sort(byId);
    this.replicas = new Int32Array(partitions * rf).fill(-1);
    this.place();
  }

  place() {
    const { board, leader } = solveCluster(this.model(), {}, true).solutions[0];
    for (let p = 0; p < this.partitions; p += 1) {
      const row = board.now.subarray(p * board.stride, p * board.stride + board.size[p]);
      this.replicas.set(row, p * this.stride);
      this.lead(p, leader[p]);
    }
  }

  lead(p, node) {
    const row = this.replicas.subarray(p * this.stride, (p + 1) * this.stride);
    const at = row.indexOf(node);
    if (at > 0) [row[0], row[at]] = [row[at], row[0]];
  }

  /** Another set of nodes; those that are left out are gone, and stay as long as they are named by copies. */
  become(nodes) {
    const named = new Set(nodes.map((n) => n.id));
    const held = new Set(this.replicas);
    const gone = this.nodes.filter((n, i) => !named.has(n.id) && held.has(i)).map((n) => ({ ...n, state: 'down' }));
    const next = [...nodes, ...gone].sort(byId);
    const index = new Map(next.map((n, i) => [n.id, i]));
    const moved = this.nodes.map((n) => index.get(n.id) ?? -1);
    this.replicas.forEach((n, cell) => {
      if (n >= 0) this.replicas[cell] = moved[n];
    });
    this.nodes = next;
    this.failOver();
  }

  /** What the cluster does by itself before anybody plans. */
  failOver() {
    const isUp = this.nodes.map((n) => n.state !== 'down');
    for (let p = 0; p < this.partitions; p += 1) {
      const row = this.replicas.subarray(p * this.stride, (p + 1) * this.stride);
      if (row[0] >= 0 && isUp[row[0]]) continue;
      const heir = row.find((n) => n >= 0 && isUp[n]);
      if (heir !== undefined) this.lead(p, heir);
    }
  }

  widen(stride) {
    if (stride <= this.stride) return;
    const wide = new Int32Array(this.partitions * stride).fill(-1);
    for (let p = 0; p < this.partitions; p += 1)
      wide.set(this.replicas.subarray(p * this.stride, (p + 1) * this.stride), p * stride);
    this.replicas = wide;
    this.stride = stride;
  }

  model(loads) {
    const { partitions, stride } = this;
    return {
      nodes: columnsOfNodes(this.nodes),
      keyspaces: [
        {
          name: 'bench',
          generation: { incarnation: 1, number: 1 },
          source: this.source,
          partitions,
          ids: Int32Array.from({ length: partitions }, (_, i) => i),
          stride,
          replicas: this.replicas.slice(),
          inSync: Uint8Array.from(this.replicas, (n) => Number(n >= 0)),
          led: Uint8Array.from({ length: partitions }, (_, p) => Number(this.replicas[p * stride] >= 0)),
          // 0: never placed.
          epochs: Float64Array.from({ length: partitions }, (_, p) => Number(this.replicas[p * stride] >= 0)),
          ...(loads && { loads }),
        },
      ],
    };
  }

  /**
   * Makes one change of a plan. `inFlight`: the new copy is there, the old one not yet gone.
   * @returns how many more copies stand where a hard constraint allows none than before
   */
  apply({ kind, part, from, to, leaderAfter }, inFlight = false) {
    if (inFlight) this.widen(this.source.replicationFactor + 1);
    const before = this.brokenIn(part);
    const row = this.replicas.subarray(part * this.stride, (part + 1) * this.stride);
    const source = kind === 'leader' ? -1 : row.indexOf(from);
    if (inFlight && kind === 'replica') row[row.indexOf(-1)] = to;
    else if (kind === 'replica') row[source] = to;
    else if (kind === 'add') row[row.indexOf(-1)] = to;
    else if (kind === 'remove') {
      row.copyWithin(source, source + 1);
      row[row.length - 1] = -1;
    }
    this.lead(part, leaderAfter);
    return inFlight ? 0 : Math.max(0, this.brokenIn(part) - before);
  }

  brokenIn(p) {
    const row = this.replicas.subarray(p * this.stride, (p + 1) * this.stride);
    let broken = 0;
    for (const { label, maxPerDomain } of this.source.spread) {
      const seen = new Map();
      for (const n of row) {
        if (n < 0) continue;
        const { labels } = this.nodes[n];
        const domain = label === 'rack' ? `${labels.zone}/${labels.rack}` : labels[label];
        const count = (seen.get(domain) ?? 0) + 1;
        seen.set(domain, count);
        if (count > maxPerDomain) broken += 1;
      }
    }
    return broken;
  }

  violations() {
    let broken = 0;
    for (let p = 0; p < this.partitions; p += 1) broken += this.brokenIn(p);
    return broken;
  }

  /** Copies that are missing on nodes that run. */
  missing() {
    let missing = 0;
    for (let p = 0; p < this.partitions; p += 1) {
      const row = this.replicas.subarray(p * this.stride, (p + 1) * this.stride);
      const live = row.filter((n) => n >= 0 && this.nodes[n].state !== 'down').length;
      missing += Math.max(0, this.source.replicationFactor - live);
    }
    return missing;
  }

  counts() {
    const count = new Int32Array(this.nodes.length);
    for (const n of this.replicas) if (n >= 0) count[n] += 1;
    return count;
  }
}

import type { PlanBody } from './plan.js';

/** Rises with any change of the layout below: a digest never compares two layouts. */
const LAYOUT = 'cadastre-plan-2';

/** Appends fields so that no two different plans give the same bytes: text has its length before it, lists their count. */
class Writer {
  private bytes = new Uint8Array(4096);
  private view = new DataView(this.bytes.buffer);
  private length = 0;
  private readonly encoder = new TextEncoder();

  text(value: string): void {
    const encoded = this.encoder.encode(value);
    this.number(encoded.length);
    this.reserve(encoded.length);
    this.bytes.set(encoded, this.length);
    this.length += encoded.length;
  }

  /** Eight bytes, IEEE 754, big-endian: exact for every count and byte size that we use. */
  number(value: number): void {
    this.reserve(8);
    this.view.setFloat64(this.length, value);
    this.length += 8;
  }

  list<T>(items: readonly T[], write: (item: T) => void): void {
    this.number(items.length);
    items.forEach(write);
  }

  done(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }

  private reserve(more: number): void {
    if (this.length + more <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.length + more));
    grown.set(this.bytes);
    this.bytes = grown;
    this.view = new DataView(grown.buffer);
  }
}

/** The bytes whose SHA-256 is the plan's digest: all that runs and all that the approver was told, in a fixed order. */
export const canonicalPlanBytes = (body: PlanBody): Uint8Array => {
  const w = new Writer();
  w.text(LAYOUT);
  w.text(body.proposer);
  w.text(body.reason);
  w.list(body.base, ({ keyspace, generation }) => {
    w.text(keyspace);
    w.number(generation.incarnation);
    w.number(generation.number);
  });
  w.list(body.moves, (m) => {
    for (const n of [m.index, m.step, m.partition, m.baseEpoch, m.bytes]) w.number(n);
    for (const t of [m.keyspace, m.kind, m.from, m.to, m.leaderAfter, m.reason]) w.text(t);
  });
  w.list(body.nodes, (n) => {
    w.text(n.node);
    for (const x of [n.replicasBefore, n.replicasAfter, n.leadersBefore, n.leadersAfter]) w.number(x);
  });
  const { cost } = body;
  for (const n of [cost.replicaMoves, cost.leaderTransfers, cost.bytes, cost.lowerBoundMoves]) w.number(n);
  w.text(cost.boundBecause);
  w.number(cost.lowerBoundBytes);
  w.list(cost.because, (line) => w.text(line));
  for (const n of [cost.ratio, cost.imbalanceBefore, cost.imbalanceAfter]) w.number(n);
  for (const n of [cost.violationsBefore, cost.violationsAfter]) w.number(n);
  w.list(cost.scores, (score) => {
    w.text(score.name);
    w.number(score.before);
    w.number(score.after);
  });
  for (const n of [cost.estimateLowMs, cost.estimateMs, cost.estimateHighMs]) w.number(n);
  return w.done();
};

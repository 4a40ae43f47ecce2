/** Above this many nodes pairs are not counted: the table would be larger than the map. */
export const MOST_NODES_WITH_PAIRS = 6000;

type Counts = Uint8Array | Uint16Array | Int32Array;

const countsFor = (nodes: number): Counts => {
  if (nodes > MOST_NODES_WITH_PAIRS) return new Uint8Array(0);
  const cells = nodes * nodes;
  return nodes <= 512 ? new Int32Array(cells) : nodes <= 2048 ? new Uint16Array(cells) : new Uint8Array(cells);
};

/** How many partitions each pair of nodes shares: who would repair a node that is lost. The counts are exact below 255. */
export class Pairs {
  private readonly counts: Counts;
  private readonly most: number;

  constructor(readonly nodes: number) {
    this.counts = countsFor(nodes);
    this.most = this.counts instanceof Uint8Array ? 255 : this.counts instanceof Uint16Array ? 65_535 : 2 ** 31 - 1;
  }

  get counted(): boolean {
    return this.counts.length > 0;
  }

  of(a: number, b: number): number {
    return this.counts[a < b ? a * this.nodes + b : b * this.nodes + a]!;
  }

  private change(a: number, b: number, by: 1 | -1): void {
    const at = a < b ? a * this.nodes + b : b * this.nodes + a;
    const count = this.counts[at]!;
    if (by > 0 ? count < this.most : count > 0) this.counts[at] = count + by;
  }

  /** A copy on `node` joins those in the cells from `base`, `size` of them. */
  add(cells: Int32Array, base: number, size: number, node: number): void {
    if (!this.counted) return;
    for (let k = base; k < base + size; k += 1) this.change(cells[k]!, node, 1);
  }

  move(cells: Int32Array, base: number, size: number, slot: number, to: number): void {
    if (!this.counted) return;
    const from = cells[base + slot]!;
    for (let k = 0; k < size; k += 1) {
      if (k === slot) continue;
      this.change(cells[base + k]!, from, -1);
      this.change(cells[base + k]!, to, 1);
    }
  }

  remove(cells: Int32Array, base: number, size: number, slot: number): void {
    if (!this.counted) return;
    for (let k = 0; k < size; k += 1) if (k !== slot) this.change(cells[base + k]!, cells[base + slot]!, -1);
  }

  /** The most that `node` shares already with a holder of another copy; the sum decides among equals. */
  shared(cells: Int32Array, base: number, size: number, slot: number, node: number): number {
    if (!this.counted) return 0;
    let most = 0;
    let sum = 0;
    for (let k = 0; k < size; k += 1) {
      if (k === slot) continue;
      const count = this.of(cells[base + k]!, node);
      sum += count;
      if (count > most) most = count;
    }
    return most + sum / 1024;
  }
}

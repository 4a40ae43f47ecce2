import type { DomainKind } from './failure-domains.js';

/** The copies of one keyspace that hold every acknowledged write, on nodes that run. */
export interface CopyTable {
  readonly keyspace: string;
  /** Copies that a write needs. */
  readonly minInSync: number;
  /** Places for copies a row; a row is a partition. */
  readonly stride: number;
  /** rows x stride: node index, -1 for none. */
  readonly copies: Int32Array;
  readonly rowOf: (partition: number) => number;
}

export interface WorstLoss {
  readonly domain: string;
  readonly partitions: number;
}

/** What the loss of any one domain of a kind would do. */
export interface DomainRisk {
  /** `node`, or the label: `rack`, `zone`, ... */
  readonly label: string;
  /** The domain whose loss stops the most partitions: too few in-sync copies remain for a write. */
  readonly unavailable: WorstLoss;
  /** The domain whose loss takes the last live copy of the most partitions. */
  readonly dataLoss: WorstLoss;
  /** Domains whose loss would stop any, or lose any, that is whole while nothing is lost. */
  readonly domainsUnavailable: number;
  readonly domainsDataLoss: number;
  /** The same losses summed over all domains. */
  readonly sumUnavailable: number;
  readonly sumDataLoss: number;
}

/** With nothing more lost than already is. */
export interface AlreadyLost {
  readonly unavailable: number;
  readonly dataLoss: number;
}

interface Tally {
  readonly kind: DomainKind;
  readonly unavailable: Int32Array;
  readonly dataLoss: Int32Array;
}

/**
 * How many partitions each domain's loss would stop or lose, kept up to date as copies move: a move costs a handful of additions,
 * however large the map is.
 */
export class RiskBoard {
  private readonly tallies: readonly Tally[];
  private alreadyUnavailable = 0;
  private alreadyLost = 0;

  constructor(
    kinds: readonly DomainKind[],
    private readonly tables: readonly CopyTable[],
  ) {
    this.tallies = kinds.map((kind) => ({
      kind,
      unavailable: new Int32Array(kind.names.length),
      dataLoss: new Int32Array(kind.names.length),
    }));
    for (const table of tables) for (let at = 0; at < table.copies.length; at += table.stride) this.count(table, at, 1);
  }

  get already(): AlreadyLost {
    return { unavailable: this.alreadyUnavailable, dataLoss: this.alreadyLost };
  }

  /** @param from index of the node whose copy goes, -1 for none; `to` of the one that has a copy now */
  move(table: number, partition: number, from: number, to: number): void {
    const held = this.tables[table]!;
    const at = held.rowOf(partition) * held.stride;
    this.count(held, at, -1);
    const row = held.copies.subarray(at, at + held.stride);
    const leaves = from < 0 ? -1 : row.indexOf(from);
    if (leaves >= 0) row[leaves] = -1;
    if (to >= 0 && !row.includes(to)) row[row.indexOf(-1)] = to;
    this.count(held, at, 1);
  }

  risks(): DomainRisk[] {
    return this.tallies.map((tally) => this.riskOf(tally));
  }

  private count({ copies, stride, minInSync }: CopyTable, at: number, sign: number): void {
    const end = at + stride;
    let live = 0;
    for (let i = at; i < end; i += 1) if (copies[i]! >= 0) live += 1;
    if (live < minInSync) this.alreadyUnavailable += sign;
    if (live === 0) {
      this.alreadyLost += sign;
      return;
    }
    for (const { kind, unavailable, dataLoss } of this.tallies) {
      for (let i = at; i < end; i += 1) {
        if (copies[i]! < 0) continue;
        const domain = kind.of[copies[i]!]!;
        const shared = sharing(kind.of, copies, at, end, i, domain);
        if (shared === 0) continue;
        if (live >= minInSync && live - shared < minInSync) unavailable[domain]! += sign;
        if (live === shared) dataLoss[domain]! += sign;
      }
    }
  }

  private riskOf({ kind, unavailable, dataLoss }: Tally): DomainRisk {
    const u = tallied(unavailable);
    const d = tallied(dataLoss);
    return {
      label: kind.label,
      unavailable: { domain: kind.names[u.at] ?? '', partitions: this.alreadyUnavailable + u.most },
      dataLoss: { domain: kind.names[d.at] ?? '', partitions: this.alreadyLost + d.most },
      domainsUnavailable: u.domains,
      domainsDataLoss: d.domains,
      sumUnavailable: u.sum,
      sumDataLoss: d.sum,
    };
  }
}

/** How many copies of the row are in the domain; 0 where an earlier place has counted them. */
const sharing = (of: Int32Array, copies: Int32Array, at: number, end: number, i: number, domain: number): number => {
  let shared = 1;
  for (let j = at; j < end; j += 1) {
    if (j === i || copies[j]! < 0 || of[copies[j]!] !== domain) continue;
    if (j < i) return 0;
    shared += 1;
  }
  return shared;
};

/** `at` is -1 where nothing is at risk. */
const tallied = (counts: Int32Array): { at: number; most: number; domains: number; sum: number } => {
  let at = -1;
  let most = 0;
  let domains = 0;
  let sum = 0;
  for (let i = 0; i < counts.length; i += 1) {
    const count = counts[i]!;
    if (count === 0) continue;
    domains += 1;
    sum += count;
    if (count > most) {
      most = count;
      at = i;
    }
  }
  return { at, most, domains, sum };
};

/** Why a copy has to leave its node, the most urgent first. */
export const LEAVE_CAUSES = ['down', 'spread', 'rule', 'draining', 'excess'] as const;
export type LeaveCause = (typeof LEAVE_CAUSES)[number];

export interface Leaver {
  readonly node: number;
  readonly cause: LeaveCause;
}

/** Copies that have to leave, by partition: few of many, so they are a list and not a column. */
export class Leavers {
  private readonly lists = new Map<number, Leaver[]>();
  private readonly counts: Uint8Array;

  constructor(partitions: number) {
    this.counts = new Uint8Array(partitions);
  }

  count(p: number): number {
    return this.counts[p]!;
  }

  of(p: number): readonly Leaver[] {
    return this.lists.get(p) ?? [];
  }

  add(p: number, node: number, cause: LeaveCause): void {
    const list = this.lists.get(p);
    if (list) list.push({ node, cause });
    else this.lists.set(p, [{ node, cause }]);
    this.counts[p]! += 1;
  }

  /** Others leave for this cause than was said before. */
  replace(p: number, cause: LeaveCause, nodes: readonly number[]): void {
    const list = [...this.of(p).filter((l) => l.cause !== cause), ...nodes.map((node): Leaver => ({ node, cause }))];
    list.sort((a, b) => LEAVE_CAUSES.indexOf(a.cause) - LEAVE_CAUSES.indexOf(b.cause));
    this.lists.set(p, list);
    this.counts[p] = list.length;
  }
}

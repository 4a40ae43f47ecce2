/** How a rule reads a label. `exists` and `notExists` take no values. */
export const LABEL_OPS = ['in', 'notIn', 'exists', 'notExists'] as const;
export type LabelOp = (typeof LABEL_OPS)[number];

/** A statement about one label of a node; `host`, `rack`, `zone`, `region` and any of the user's own. */
export interface LabelRule {
  readonly label: string;
  readonly op: LabelOp;
  /** For `in` and `notIn`, at least one. A node without the label is in no list. */
  readonly values?: readonly string[];
}

/** How the copies of one partition lie over the domains of a label. */
export interface SpreadRule {
  readonly label: string;
  /** Hard: never broken. Soft: better if it holds, and it costs no move by itself. */
  readonly hard: boolean;
  /** At most so many copies in one domain. */
  readonly maxPerDomain?: number;
  /** At least so many copies in the named domains, such as one in each of three regions. */
  readonly minPerDomain?: Readonly<Record<string, number>>;
}

/** Which partitions a rule is about. */
export type PartitionSet =
  | { readonly kind: 'all' }
  /** Both ends included. */
  | { readonly kind: 'range'; readonly first: number; readonly last: number }
  /** Partitions that hold keys in [start, end); without `end` to the last key. The scheme has to keep order, or name its entries. */
  | { readonly kind: 'keys'; readonly start: Uint8Array; readonly end?: Uint8Array }
  /** The partitions of a directory entry: of a geography by its label, of a prefix or key by its text in UTF-8. */
  | { readonly kind: 'entry'; readonly label: string };

/** Copies of these partitions lie only on nodes that all rules allow. */
export interface ResidencyRule {
  readonly partitions: PartitionSet;
  readonly nodes: readonly LabelRule[];
}

/** Whose data it is, and with whom it may share nodes. */
export interface TenantRule {
  readonly tenant: string;
  readonly partitions: PartitionSet;
  /** Nodes that hold this tenant's copies and nobody else's. */
  readonly dedicated?: readonly LabelRule[];
  /** Tenants whose copies never lie on a node with this one's, in any keyspace. */
  readonly apartFrom?: readonly string[];
}

/** A copy that stays on a node until it expires, whoever balances. */
export interface Pin {
  readonly partition: number;
  readonly node: string;
  readonly owner: string;
  readonly reason: string;
  /** Wall clock, ms; 0 for never. */
  readonly expiresMs: number;
}

/** Fractions of a node's capacity. Above `low` a node takes no copies for balance, only repairs; above `high` it has to shed. */
export interface Watermarks {
  readonly low: number;
  readonly high: number;
}

export const DEFAULT_WATERMARKS: Watermarks = { low: 0.85, high: 0.9 };

/** What is balanced beyond the number of copies. */
export interface BalanceRule {
  /** `bytes`, or a named load. None: the number of copies alone, exact. */
  readonly dimensions?: readonly string[];
  /** How far from its share a node may be, as a fraction; 0.05 unless given. Only for dimensions: counts are exact. */
  readonly tolerance?: number;
}

/** Wide: each node shares its partitions with many others, so that all help to repair it. Few: with few, so that fewer sets of losses lose data. */
export const COPYSETS = ['wide', 'few'] as const;
export type Copysets = (typeof COPYSETS)[number];

/** What may be said at every level: cluster, keyspace, partition range. A nearer level replaces a field of a wider one. */
export interface PolicyFields {
  readonly replicationFactor?: number;
  readonly minInSync?: number;
  /** Merged by label and hardness, the nearer level's rule instead of the wider one's. */
  readonly spread?: readonly SpreadRule[];
  /** Copies lie only on nodes that meet all of these. */
  readonly required?: readonly LabelRule[];
  /** Copies never lie on nodes that meet any of these. */
  readonly forbidden?: readonly LabelRule[];
  /** Leaders on nodes that meet the first list, else the second, and so on. */
  readonly leaderPreferences?: readonly (readonly LabelRule[])[];
  /** By dimension: `bytes`, or a named load. */
  readonly watermarks?: Readonly<Record<string, Watermarks>>;
  readonly balance?: BalanceRule;
  readonly copysets?: Copysets;
}

export interface RangePolicy extends PolicyFields {
  readonly first: number;
  /** Included. */
  readonly last: number;
}

/** Where the copies of a keyspace may lie. All levels' residency, tenants and pins hold together. */
export interface Policy extends PolicyFields {
  readonly residency?: readonly ResidencyRule[];
  readonly tenants?: readonly TenantRule[];
  readonly pins?: readonly Pin[];
  /** Later ranges win where two overlap. */
  readonly ranges?: readonly RangePolicy[];
}

/** All that holds for one partition, with nothing left to inherit. Label rules of residency are among `required`. */
export interface EffectivePolicy {
  readonly replicationFactor: number;
  readonly minInSync: number;
  readonly spread: readonly SpreadRule[];
  readonly required: readonly LabelRule[];
  readonly forbidden: readonly LabelRule[];
  readonly leaderPreferences: readonly (readonly LabelRule[])[];
  readonly watermarks: Readonly<Record<string, Watermarks>>;
  readonly balance: BalanceRule;
  readonly copysets: Copysets;
  readonly tenants: readonly TenantRule[];
  readonly pins: readonly Pin[];
}

/** How a key becomes a partition. A small readable value in the keyspace record; `createPartitioner` compiles it. */
export type Scheme = HashSlotsScheme | RangeScheme;

export const SLOT_HASHES = ['murmur3', 'crc16'] as const;
export type SlotHash = (typeof SLOT_HASHES)[number];

/** partition = hash(key) mod slots. */
export interface HashSlotsScheme {
  readonly kind: 'hash-slots';
  readonly slots: number;
  readonly hash: SlotHash;
  /** Hash only what stands between the first `{` and the next `}`, when that is not empty (Redis Cluster specification). */
  readonly hashTags: boolean;
}

/** Partition i holds the keys in [splitPoints[i-1], splitPoints[i]), bytes compared unsigned. */
export interface RangeScheme {
  readonly kind: 'range';
  readonly splitPoints: readonly Uint8Array[];
}

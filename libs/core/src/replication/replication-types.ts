import type { PartitionRecord } from '../map/records.js';

export type LogOp =
  | { readonly kind: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly kind: 'delete'; readonly key: Uint8Array };

/** One entry of a partition's log. Without ops it is a mark of the leader's own. */
export interface ReplicatedEntry {
  readonly epoch: number;
  readonly seq: number;
  /** '' = none. */
  readonly requestId: string;
  readonly ops: readonly LogOp[];
}

/** Content of a copy at `seq`. */
export interface ContentMark {
  readonly seq: number;
  readonly records: number;
  readonly digest: string;
}

/** `absent`: the disk has nothing of this partition. */
export type CopyState = 'active' | 'filling' | 'absent';

export interface ReplicationOptions {
  /** An in-sync follower that owes an acknowledgement, or whose stream is gone, for this long is proposed for removal if its node is silent too. */
  readonly inSyncTimeoutMs: number;
  /** The same for a follower whose node is heard of: it is busy, and to throw it out would only make more work. */
  readonly busyTimeoutMs: number;
  /** A replica that lags by at most so many entries may begin to join the in-sync set. */
  readonly joinLagEntries: number;
  /** A Follow without an answer is sent again after this. */
  readonly refollowMs: number;
  readonly changeRetryMs: number;
  /** Entries kept in the log behind what is applied, for followers that come back and for recognising retries. */
  readonly keepEntries: number;
  /** Entries younger than this are kept too: for so long at least a retry is recognised, which is longer than a client goes on retrying. */
  readonly rememberMs: number;
  /** The log is trimmed above this even when a learner still needs it; that learner then starts anew. */
  readonly keepBytes: number;
  /** Entries of a leader's log that wait to be committed at most; above it writes are refused, so that a silent follower costs no memory. */
  readonly uncommittedMax: number;
}

export const REPLICATION_DEFAULTS: ReplicationOptions = {
  inSyncTimeoutMs: 3000,
  busyTimeoutMs: 30_000,
  joinLagEntries: 64,
  refollowMs: 500,
  changeRetryMs: 250,
  keepEntries: 8192,
  rememberMs: 60_000,
  keepBytes: 64 * 1024 * 1024,
  uncommittedMax: 8192,
};

/** What a replica finds on its disk when its process starts. */
/** The register may name this node in sync from here on, so it counts as if it were until the epoch has risen, even after a restart. */
export interface AskedFor {
  readonly epoch: number;
  readonly node: string;
}

export interface ReplicaStart {
  readonly node: string;
  /** Until when an earlier life of this process may have granted read leases; absent = none did. */
  readonly grantedUntil?: number;
  /** The newest joiner that the register was asked to take in, and under which epoch. */
  readonly asked?: AskedFor;
  readonly state: CopyState;
  readonly promisedEpoch: number;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly lastEpoch: number;
  readonly appliedSeq: number;
  /** Epochs and request ids of the log, from `firstSeq` on. */
  readonly log: Iterable<{ readonly epoch: number; readonly requestId: string }>;
}

/** Names a client's call towards the driver. */
export type CallToken = number;

/** `unreached`: no active controller was asked. `unknown`: one may have been, and it may still take effect. */
export type ChangeOutcome = 'refused' | 'unknown' | 'unreached';

export type ReplicaEvent =
  /** What was cut off is durably gone. */
  | { readonly type: 'truncated'; readonly cut: number }
  | {
      readonly type: 'record';
      readonly record: PartitionRecord;
      readonly minInSync: number;
      /** Until when this node has granted each leader a read lease (own monotonic clock). */
      readonly granted?: ReadonlyMap<string, number>;
    }
  | { readonly type: 'promised'; readonly epoch: number }
  /** A `mark-asked` is durable. */
  | { readonly type: 'asked-marked'; readonly epoch: number; readonly node: string }
  | { readonly type: 'write'; readonly token: CallToken; readonly requestId: string; readonly ops: readonly LogOp[] }
  /** Own log is durable up to `seq`; `cut` as in the append. */
  | { readonly type: 'durable'; readonly seq: number; readonly cut: number }
  /** The stream to the node that leads is up or down. */
  | { readonly type: 'link'; readonly to: string; readonly up: boolean }
  | { readonly type: 'follower-gone'; readonly from: string }
  | {
      readonly type: 'follow';
      readonly from: string;
      readonly epoch: number;
      readonly lastSeq: number;
      readonly lastEpoch: number;
      readonly appliedSeq: number;
      /** How much of that log is durable; absent when the follower did not say. */
      readonly durableSeq?: number;
    }
  | { readonly type: 'ack'; readonly from: string; readonly epoch: number; readonly durableSeq: number }
  | { readonly type: 'unfollow'; readonly from: string; readonly epoch: number }
  /** That node leads under no epoch before this one any more, so it answers no reads by leases that it was granted under them. */
  | { readonly type: 'released'; readonly from: string; readonly epoch: number }
  | {
      readonly type: 'entries';
      readonly from: string;
      readonly epoch: number;
      readonly entries: readonly ReplicatedEntry[];
      readonly commitSeq: number;
      readonly mark?: ContentMark;
    }
  | { readonly type: 'truncate'; readonly from: string; readonly epoch: number; readonly seq: number }
  | { readonly type: 'need-snapshot'; readonly from: string; readonly epoch: number }
  | { readonly type: 'refused'; readonly from: string; readonly epoch: number; readonly reason: string }
  /** A copy of this partition is read for `to`; the log after `seq` is kept for it. */
  | { readonly type: 'copying'; readonly to: string; readonly seq: number }
  /** The fill is finished and what the disk holds was counted again. */
  | { readonly type: 'filled'; readonly seq: number; readonly epoch: number }
  | { readonly type: 'compared'; readonly equal: boolean }
  | { readonly type: 'change-answered'; readonly id: number; readonly outcome: ChangeOutcome }
  | {
      readonly type: 'tick';
      /** When each connected node last acknowledged anything, of any partition; whoever is not in it is not connected. Without it each partition judges alone. */
      readonly heardAt?: ReadonlyMap<string, number>;
      /** For so long this process stood still before the tick. */
      readonly pausedMs?: number;
    };

export type WriteOutcome =
  | { readonly kind: 'done'; readonly epoch: number; readonly seq: number }
  /** `appended`: it is in the log of a leader that is one no more, and may take effect under the next. */
  | { readonly kind: 'not-leader'; readonly appended?: true }
  /** `appended`: it is in the log and may take effect, but too few copies have it for it to be acknowledged (INV-3). */
  | { readonly kind: 'too-few'; readonly inSync: number; readonly minInSync: number; readonly appended?: true }
  /** `appended`: other calls under the same request id took this one's place; it may take effect. */
  | { readonly kind: 'busy'; readonly uncommitted: number; readonly appended?: true };

export type ReplicaAction =
  | { readonly type: 'promise'; readonly epoch: number }
  /** Answer with `asked-marked` when it is durable. */
  | { readonly type: 'mark-asked'; readonly epoch: number; readonly node: string }
  | { readonly type: 'append'; readonly entries: readonly ReplicatedEntry[]; readonly cut: number }
  | { readonly type: 'apply'; readonly uptoSeq: number }
  /** `cut` comes back with `truncated`. */
  | { readonly type: 'truncate'; readonly seq: number; readonly cut: number }
  | { readonly type: 'trim'; readonly beforeSeq: number }
  | { readonly type: 'reply'; readonly token: CallToken; readonly outcome: WriteOutcome }
  /** `pull(to)` has something; ask when the other actions of this turn are done and the stream has room. */
  | { readonly type: 'stream'; readonly to: string }
  | {
      readonly type: 'send-follow';
      readonly to: string;
      readonly epoch: number;
      readonly lastSeq: number;
      readonly lastEpoch: number;
      readonly appliedSeq: number;
      /** 0 = nothing that would count. */
      readonly durableSeq: number;
    }
  | { readonly type: 'send-ack'; readonly to: string; readonly epoch: number; readonly durableSeq: number }
  | { readonly type: 'send-unfollow'; readonly to: string; readonly epoch: number }
  | { readonly type: 'send-released'; readonly to: string; readonly epoch: number }
  | { readonly type: 'send-truncate'; readonly to: string; readonly epoch: number; readonly seq: number }
  | { readonly type: 'send-need-snapshot'; readonly to: string; readonly epoch: number }
  | { readonly type: 'send-refused'; readonly to: string; readonly epoch: number; readonly reason: string }
  | { readonly type: 'fill'; readonly from: string; readonly epoch: number; readonly anew: boolean }
  | { readonly type: 'stop-fill' }
  /** Answer at once with `compared`: is the applied content equal to this mark? */
  | { readonly type: 'compare'; readonly mark: ContentMark }
  /** With nobody to add or remove it only asks for a higher epoch, so that nothing asked for before can take effect. */
  | {
      readonly type: 'change-in-sync';
      readonly id: number;
      readonly epoch: number;
      readonly add?: ContentMark & { readonly node: string };
      readonly remove: readonly string[];
      readonly reason: string;
    }
  | { readonly type: 'trouble'; readonly reason: string };

/** What to send to a follower next. */
export interface Pull {
  readonly epoch: number;
  readonly fromSeq: number;
  /** `fromSeq - 1` when there is nothing but a commit to tell. */
  readonly toSeq: number;
  readonly commitSeq: number;
  /** Put the content mark of the applied data beside it. */
  readonly mark: boolean;
  /** Entries, or the answer to a Follow. A commit alone may wait some milliseconds for entries to travel with. */
  readonly urgent: boolean;
}

export const REPLICA_PHASES = ['serving', 'sealing', 'following', 'filling', 'idle'] as const;
export type ReplicaPhase = (typeof REPLICA_PHASES)[number];

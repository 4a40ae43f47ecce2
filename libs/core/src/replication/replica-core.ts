import { LogIndex } from './log-index.js';
import { RecentRequests } from './recent-requests.js';
import type {
  AskedFor,
  CallToken,
  CopyState,
  ReplicaAction,
  ReplicaStart,
  ReplicatedEntry,
  ReplicationOptions,
  WriteOutcome,
} from './replication-types.js';

const bytesOf = (entry: ReplicatedEntry): number =>
  entry.ops.reduce((sum, op) => sum + op.key.length + (op.kind === 'put' ? op.value.length : 0) + 16, 64);

/** What every role has: the log's index, what is durable and applied, and the list of actions to hand to the driver. */
export class ReplicaCore {
  readonly node: string;
  readonly log: LogIndex;
  readonly recent = new RecentRequests();
  state: CopyState;
  durableSeq: number;
  appliedSeq: number;
  /** Counts truncations: what was appended before one says nothing of what is in the log after it. */
  cut = 0;
  /** Entries that were cut off are still on disk: after a crash they would be back. */
  truncating = false;
  asked: AskedFor | undefined;
  /** The newest epoch that is promised on the disk. */
  durablyPromised: number;
  private actions: ReplicaAction[] = [];
  private entryBytes = 256;
  /** Where the log ended at some moments, oldest first. */
  private marks: { readonly seq: number; readonly at: number }[] = [];

  constructor(
    start: ReplicaStart,
    readonly options: ReplicationOptions,
  ) {
    this.node = start.node;
    this.state = start.state;
    this.asked = start.asked;
    this.durablyPromised = start.promisedEpoch;
    const epochs: number[] = [];
    let seq = start.firstSeq;
    for (const { epoch, requestId } of start.log) {
      epochs.push(epoch);
      this.recent.add(requestId, seq, epoch);
      seq += 1;
    }
    this.log = new LogIndex(start, epochs);
    this.durableSeq = start.lastSeq;
    this.appliedSeq = start.appliedSeq;
  }

  act(action: ReplicaAction): void {
    this.actions.push(action);
  }

  take(): ReplicaAction[] {
    const { actions } = this;
    this.actions = [];
    return actions;
  }

  reply(token: CallToken, outcome: WriteOutcome): void {
    this.act({ type: 'reply', token, outcome });
  }

  /** @returns the last seq */
  append(entries: readonly ReplicatedEntry[], now: number): number {
    this.age(now);
    for (const entry of entries) {
      this.log.append(entry.epoch);
      this.recent.add(entry.requestId, entry.seq, entry.epoch);
      this.entryBytes += (bytesOf(entry) - this.entryBytes) / 64;
    }
    this.act({ type: 'append', entries, cut: this.cut });
    return this.log.lastSeq;
  }

  apply(uptoSeq: number): void {
    if (uptoSeq <= this.appliedSeq) return;
    this.appliedSeq = uptoSeq;
    this.act({ type: 'apply', uptoSeq });
  }

  truncate(seq: number): void {
    if (seq >= this.log.lastSeq) return;
    this.cut += 1;
    this.log.truncateAfter(seq);
    this.recent.truncateAfter(seq);
    this.marks = this.marks.filter((mark) => mark.seq <= seq);
    this.durableSeq = Math.min(this.durableSeq, seq);
    this.truncating = true;
    this.act({ type: 'truncate', seq, cut: this.cut });
  }

  /** Entries up to this one are older than `rememberMs`, or more than the log may hold. Of those found at start nobody knows the age. */
  private age(now: number): void {
    const { rememberMs } = this.options;
    const last = this.marks.at(-1);
    if (!last || now - last.at >= rememberMs / 12) this.marks.push({ seq: this.log.lastSeq, at: now });
    while (this.marks.length > 1 && this.marks[1]!.at <= now - rememberMs) this.marks.shift();
    const old = this.marks[0]!.at <= now - rememberMs ? this.marks[0]!.seq : 0;
    this.recent.floor = Math.max(old, this.log.lastSeq - this.entriesMax());
  }

  /** What is forgotten may be trimmed. */
  get forgotten(): number {
    return Math.min(this.recent.floor, this.log.lastSeq);
  }

  /** In strides, so that it is not a transaction per tick. */
  trim(beforeSeq: number, now: number): void {
    this.age(now);
    const before = Math.min(beforeSeq, this.appliedSeq + 1, this.forgotten + 1);
    if (before - this.log.firstSeq < Math.max(64, this.options.keepEntries / 8)) return;
    this.log.trimBefore(before);
    this.act({ type: 'trim', beforeSeq: before });
  }

  get trimDue(): boolean {
    const { log, options } = this;
    return log.lastSeq - log.firstSeq > Math.min(options.keepEntries * 1.25 + 64, this.entriesMax());
  }

  /** Entries that the log may hold at most, from their running mean size. */
  entriesMax(): number {
    return Math.max(256, Math.floor(this.options.keepBytes / this.entryBytes));
  }

  filled(seq: number, epoch: number): void {
    this.truncating = false;
    this.cut += 1;
    this.state = 'active';
    this.log.reset(seq, epoch);
    this.recent.clear();
    this.marks = [];
    this.durableSeq = seq;
    this.appliedSeq = seq;
  }
}

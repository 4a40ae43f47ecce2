import type { ClientCall } from './client-history.js';
import { groupBy, keyOf, partitionOf } from './client-history.js';
import { checkRegister } from './linearizability.js';
import type { Violation } from './violation.js';

/** Every key on its own (a register's linearizability is local). An undecided key is a violation too: nothing was proven of it. */
export const checkLinearizable = (calls: readonly ClientCall[], budget?: number): Violation[] => {
  const violations: Violation[] = [];
  for (const [key, ofKey] of groupBy(calls, keyOf)) {
    const verdict = checkRegister(
      ofKey
        .filter((c) => c.outcome !== 'failed' && !(c.outcome === 'unknown' && c.invoke.call === 'get'))
        .map((c) => ({
          call: c.invoke.call,
          value: c.invoke.call === 'get' ? c.ok?.value : c.invoke.value,
          invoked: c.invoke.at,
          returned: c.returned,
        })),
      budget === undefined ? {} : { budget },
    );
    if (verdict.kind === 'linearizable') continue;
    const at = verdict.kind === 'refused' ? verdict.call.returned : 0;
    const held =
      verdict.kind === 'refused' ? `; it held ${verdict.held.map((v) => v ?? '(nothing)').join(' or ')}` : '';
    violations.push({
      rule: verdict.kind === 'refused' ? 'linearizable' : 'undecided',
      at,
      subject: key,
      what: verdict.why + held,
    });
  }
  return violations;
};

interface Write {
  readonly call: ClientCall;
  readonly value: string | undefined;
}

/**
 * What each read must see, without a search: nothing that was never written, and nothing that an acknowledged write had replaced
 * before the read began. It names the write that was lost. Cheap enough for every call of a long run, and independent of the search.
 */
export const checkAcknowledged = (calls: readonly ClientCall[]): Violation[] => {
  const violations: Violation[] = [];
  for (const [key, ofKey] of groupBy(calls, keyOf)) {
    const writes = ofKey
      .filter((c) => c.invoke.call !== 'get' && c.outcome !== 'failed')
      .map((call): Write => ({ call, value: call.invoke.call === 'put' ? call.invoke.value : undefined }));
    const lateness = new Latest(writes);
    const writer = new Map(writes.filter((w) => w.value !== undefined).map((w) => [w.value!, w]));
    const deletes = writes.filter((w) => w.value === undefined).map((w) => w.call.returned);
    for (const read of ofKey) {
      if (read.invoke.call !== 'get' || !read.ok) continue;
      const { value } = read.ok;
      const source = value === undefined ? undefined : writer.get(value);
      const report = (rule: string, what: string) => violations.push({ rule, at: read.ok!.at, subject: key, what });
      if (value !== undefined && !source) {
        report('never-written', `read ${value}, which nobody wrote`);
        continue;
      }
      if (source && source.call.invoke.at > read.ok.at) {
        report('read-before-write', `read ${value} before it was written`);
        continue;
      }
      const replaced = lateness.begunLastBefore(read.invoke.at);
      if (!replaced || replaced.value === value) continue;
      // It had been replaced if its own write, or every delete, was over before that one began.
      const sources = source ? [source.call.returned] : deletes;
      const isStale = sources.every((returned) => returned < replaced.call.invoke.at);
      if (isStale) {
        report(
          'lost-write',
          `read ${value ?? '(nothing)'} although ${replaced.value ?? 'a delete'} was acknowledged before`,
        );
      }
    }
  }
  return violations;
};

/** Of the acknowledged writes that had returned by some time, the one that began last. */
class Latest {
  private readonly returned: number[] = [];
  private readonly best: Write[] = [];

  constructor(writes: readonly Write[]) {
    const acknowledged = writes
      .filter((w) => w.call.outcome === 'ok')
      .sort((a, b) => a.call.returned - b.call.returned);
    for (const write of acknowledged) {
      const before = this.best.at(-1);
      this.returned.push(write.call.returned);
      this.best.push(before && before.call.invoke.at > write.call.invoke.at ? before : write);
    }
  }

  begunLastBefore(at: number): Write | undefined {
    let low = 0;
    let high = this.returned.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.returned[middle]! < at) low = middle + 1;
      else high = middle;
    }
    return this.best[low - 1];
  }
}

/**
 * Places in the log: each acknowledged write has one of its own, and one that returned before another began lies before it, in epoch and
 * in sequence. Two leaders that acknowledge at once give the same place twice; a truncated acknowledgement gives it again later.
 */
export const checkPositions = (calls: readonly ClientCall[]): Violation[] => {
  const violations: Violation[] = [];
  const writes = calls.filter((c) => c.ok?.seq !== undefined && c.ok.epoch !== undefined);
  for (const [partition, ofPartition] of groupBy(writes, partitionOf)) {
    const bySeq = new Map<number, ClientCall>();
    for (const call of ofPartition) {
      const seq = call.ok!.seq!;
      const other = bySeq.get(seq);
      if (other) {
        violations.push({
          rule: 'INV-3',
          at: call.returned,
          subject: partition,
          what: `${name(call)} and ${name(other)} were both acknowledged at ${seq} (epochs ${call.ok!.epoch} and ${other.ok!.epoch})`,
        });
      }
      bySeq.set(seq, call);
    }
    violations.push(...checkOrder(partition, ofPartition));
  }
  return violations;
};

const checkOrder = (partition: string, writes: readonly ClientCall[]): Violation[] => {
  const violations: Violation[] = [];
  const returned = [...writes].sort((a, b) => a.returned - b.returned);
  const begun = [...writes].sort((a, b) => a.invoke.at - b.invoke.at);
  let next = 0;
  let highest: ClientCall | undefined;
  let highestEpoch = 0;
  for (const call of begun) {
    for (; next < returned.length && returned[next]!.returned < call.invoke.at; next += 1) {
      const passed = returned[next]!;
      if (!highest || passed.ok!.seq! > highest.ok!.seq!) highest = passed;
      highestEpoch = Math.max(highestEpoch, passed.ok!.epoch!);
    }
    if (!highest) continue;
    const { seq, epoch } = call.ok! as { seq: number; epoch: number };
    if (seq > highest.ok!.seq! && epoch >= highestEpoch) continue;
    violations.push({
      rule: 'INV-3',
      at: call.returned,
      subject: partition,
      what: `${name(call)} lies at ${epoch}/${seq}, although ${name(highest)} at ${highest.ok!.epoch}/${highest.ok!.seq} returned before it began`,
    });
  }
  return violations;
};

const name = ({ invoke }: ClientCall): string => `${invoke.call} ${invoke.key}=${invoke.value ?? '(nothing)'}`;

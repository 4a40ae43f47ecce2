/**
 * Is a history of one key that of a register which changes at one instant within each call? The search of Wing and Gong with Lowe's
 * two improvements (G. Lowe, Testing for linearizability, 2017): configurations are remembered so that none is explored twice, and a call
 * takes effect only when another one that returns needs it ("just in time"). It goes through the history once, holding all configurations
 * that explain it so far, so memory follows the number of concurrent calls and not the length.
 */
export interface RegisterCall {
  readonly call: 'get' | 'put' | 'delete';
  /** What a put writes; what a get found. */
  readonly value: string | undefined;
  readonly invoked: number;
  /** Infinity for a write whose outcome is unknown: it may take effect at any later time, or never. */
  readonly returned: number;
}

export type LinearizabilityVerdict =
  | { readonly kind: 'linearizable' }
  /** `call` cannot have taken effect within its time; before it, the key may have held one of `held`. */
  | {
      readonly kind: 'refused';
      readonly call: RegisterCall;
      readonly held: readonly (string | undefined)[];
      readonly why: string;
    }
  /** Too many calls at once. Never to be taken for a yes. */
  | { readonly kind: 'inconclusive'; readonly why: string };

export interface LinearizabilityOptions {
  readonly initial?: string;
  /** Configurations looked at before the search gives up. */
  readonly budget?: number;
}

/** A state that explains the history so far, and which of the pending calls have taken effect in it. */
interface Configuration {
  readonly state: number;
  /** Reads of `state` in the whole history that have not taken effect yet; UNTRACKED where several writes write this value. */
  readonly readsLeft: number;
  /** Slots of calls that took effect and have not returned. */
  readonly done: number;
  /** Slots of writes of unknown outcome that took effect. */
  readonly open: number;
  /** Deletes of unknown outcome that took effect: all are alike. */
  readonly deletes: number;
}

interface Call {
  readonly source: RegisterCall;
  readonly value: number;
  slot: number;
}

const ABSENT = 0;
const UNTRACKED = -1;
const MAX_SLOTS = 31;
const DEFAULT_BUDGET = 2_000_000;

class GaveUp extends Error {}

export const checkRegister = (
  calls: readonly RegisterCall[],
  { initial, budget = DEFAULT_BUDGET }: LinearizabilityOptions = {},
): LinearizabilityVerdict => {
  try {
    return new Search(calls, initial, budget).run();
  } catch (error) {
    if (error instanceof GaveUp) return { kind: 'inconclusive', why: error.message };
    throw error;
  }
};

class Search {
  private readonly numbers = new Map<string, number>();
  private readonly texts: (string | undefined)[] = [undefined];
  /** By value. */
  private readonly writers: number[] = [0];
  private readonly reads: number[] = [0];
  private readonly calls: Call[];
  private configurations: Configuration[];
  private readonly pending: (Call | undefined)[] = [];
  private readonly openPuts: (Call | undefined)[] = [];
  private openDeletes = 0;
  private explored = 0;

  constructor(
    calls: readonly RegisterCall[],
    initial: string | undefined,
    private readonly budget: number,
  ) {
    const first = this.numberOf(initial);
    // The value at the beginning counts as written by two, so that it is never taken for the value of one write.
    this.writers[first]! += 2;
    this.calls = calls.map((source) => ({ source, value: this.numberOf(valueOf(source)), slot: -1 }));
    for (const { source, value } of this.calls) {
      if (source.call !== 'get') this.writers[value]! += 1;
      else if (isDefinite(source)) this.reads[value]! += 1;
    }
    this.writers[ABSENT]! += 2;
    this.configurations = [{ state: first, readsLeft: UNTRACKED, done: 0, open: 0, deletes: 0 }];
  }

  run(): LinearizabilityVerdict {
    for (const { call, returns } of this.timeline()) {
      if (!returns) this.invoke(call);
      else if (!this.settle(call)) return this.refusal(call);
    }
    return { kind: 'linearizable' };
  }

  /** At one instant, invocations come first: calls that touch are taken as concurrent. */
  private timeline(): { readonly call: Call; readonly returns: boolean }[] {
    const events: { call: Call; returns: boolean; at: number }[] = [];
    for (const call of this.calls) {
      const { source, value } = call;
      if (isDefinite(source)) {
        events.push({ call, returns: false, at: source.invoked }, { call, returns: true, at: source.returned });
      } else if (source.call === 'delete' || (source.call === 'put' && this.reads[value]! > 0)) {
        // A write of unknown outcome that nobody saw explains nothing, and neither does a read.
        events.push({ call, returns: false, at: source.invoked });
      }
    }
    return events.sort((a, b) => a.at - b.at || Number(a.returns) - Number(b.returns));
  }

  private invoke(call: Call): void {
    if (!isDefinite(call.source)) {
      if (call.source.call === 'delete') this.openDeletes += 1;
      else call.slot = take(this.openPuts, call);
      return;
    }
    call.slot = take(this.pending, call);
    if (call.source.call !== 'get') return;
    const bit = 1 << call.slot;
    this.configurations = this.configurations.map((c) =>
      c.state === call.value
        ? { ...c, done: c.done | bit, readsLeft: c.readsLeft > 0 ? c.readsLeft - 1 : c.readsLeft }
        : c,
    );
  }

  /** Keeps what explains that `call` has returned. False when nothing does. */
  private settle(call: Call): boolean {
    const bit = 1 << call.slot;
    const kept = new Frontier();
    for (const configuration of this.configurations) {
      if (configuration.done & bit) kept.add(without(configuration, bit));
      else this.explain(configuration, bit, kept);
    }
    if (kept.size === 0) return false;
    this.configurations = kept.all();
    this.pending[call.slot] = undefined;
    this.releaseOpenPuts();
    return true;
  }

  /** All ways to let pending writes take effect until that of `bit` has. */
  private explain(from: Configuration, bit: number, kept: Frontier): void {
    const seen = new Set<string>();
    const stack = [from];
    for (let next = stack.pop(); next; next = stack.pop()) {
      for (const after of this.successors(next)) {
        if (after.done & bit) {
          kept.add(without(after, bit));
          continue;
        }
        const key = keyOf(after);
        if (seen.has(key)) continue;
        seen.add(key);
        stack.push(after);
      }
    }
  }

  private successors(from: Configuration): Configuration[] {
    this.explored += 1;
    if (this.explored > this.budget) throw new GaveUp(`more than ${this.budget} configurations`);
    // Only one write wrote this value: whoever read it must have done so before it was overwritten.
    if (from.readsLeft > 0) return [];
    const result: Configuration[] = [];
    let firstDelete: Call | undefined;
    for (const call of this.pending) {
      if (!call || call.source.call === 'get' || from.done & (1 << call.slot)) continue;
      if (call.source.call === 'put')
        result.push(this.write({ ...from, done: from.done | (1 << call.slot) }, call.value));
      else if (!firstDelete || call.source.returned < firstDelete.source.returned) firstDelete = call;
    }
    // Deletes do the same, so the one that has to return first may as well be the first to take effect.
    if (firstDelete) result.push(this.write({ ...from, done: from.done | (1 << firstDelete.slot) }, ABSENT));
    for (const call of this.openPuts) {
      if (!call || from.open & (1 << call.slot)) continue;
      result.push(this.write({ ...from, open: from.open | (1 << call.slot) }, call.value));
    }
    if (from.state !== ABSENT && from.deletes < this.openDeletes) {
      result.push(this.write({ ...from, deletes: from.deletes + 1 }, ABSENT));
    }
    return result;
  }

  private write(from: Configuration, state: number): Configuration {
    const isTracked = this.writers[state] === 1;
    let done = this.overwriteAtOnce(from.done, state);
    let readsLeft = isTracked ? this.reads[state]! : UNTRACKED;
    for (const call of this.pending) {
      // A read changes nothing, so it never hurts to let it take effect as soon as it can.
      if (!call || call.source.call !== 'get' || call.value !== state || done & (1 << call.slot)) continue;
      done |= 1 << call.slot;
      if (isTracked) readsLeft -= 1;
    }
    return { ...from, state, readsLeft, done };
  }

  /**
   * A pending write whose readers are all pending too (or that has none) may as well take effect with them just before the write of
   * `state`: nothing else depends on it.
   */
  private overwriteAtOnce(before: number, state: number): number {
    let done = before;
    for (const write of this.pending) {
      if (!write || write.source.call !== 'put' || done & (1 << write.slot)) continue;
      if (write.value === state || this.writers[write.value] !== 1) continue;
      let readers = 0;
      let found = 0;
      for (const read of this.pending) {
        if (!read || read.source.call !== 'get' || read.value !== write.value) continue;
        readers |= 1 << read.slot;
        found += 1;
      }
      if (found === this.reads[write.value]) done |= readers | (1 << write.slot);
    }
    return done;
  }

  /** An unknown outcome that has taken effect in every configuration is unknown no more. */
  private releaseOpenPuts(): void {
    for (const call of this.openPuts) {
      if (!call) continue;
      const bit = 1 << call.slot;
      if (!this.configurations.every((c) => c.open & bit)) continue;
      this.openPuts[call.slot] = undefined;
      this.configurations = this.configurations.map((c) => ({ ...c, open: c.open & ~bit }));
    }
  }

  private refusal({ source, value }: Call): LinearizabilityVerdict {
    const held = [...new Set(this.configurations.map((c) => c.state))].map((state) => this.texts[state]);
    const neverWritten = source.call === 'get' && this.writers[value] === 0;
    const why = neverWritten
      ? `it found ${source.value}, which nobody wrote`
      : `${source.call} ${source.value ?? '(nothing)'} fits nowhere between ${source.invoked} and ${source.returned}`;
    return { kind: 'refused', call: source, held, why };
  }

  private numberOf(text: string | undefined): number {
    if (text === undefined) return ABSENT;
    let number = this.numbers.get(text);
    if (number === undefined) {
      number = this.texts.push(text) - 1;
      this.numbers.set(text, number);
      this.writers.push(0);
      this.reads.push(0);
    }
    return number;
  }
}

/** Of two configurations that differ only in unknown outcomes, the one that used fewer of them can do all that the other can. */
class Frontier {
  private readonly groups = new Map<string, Configuration[]>();
  size = 0;

  add(configuration: Configuration): void {
    const key = `${configuration.state} ${configuration.readsLeft} ${configuration.done}`;
    const group = this.groups.get(key);
    if (!group) {
      this.groups.set(key, [configuration]);
      this.size += 1;
      return;
    }
    if (group.some((held) => dominates(held, configuration))) return;
    const rest = group.filter((held) => !dominates(configuration, held));
    rest.push(configuration);
    this.groups.set(key, rest);
    this.size += rest.length - group.length;
  }

  all(): Configuration[] {
    return [...this.groups.values()].flat();
  }
}

const dominates = (a: Configuration, b: Configuration): boolean => (a.open & ~b.open) === 0 && a.deletes <= b.deletes;
const without = (c: Configuration, bit: number): Configuration => ({ ...c, done: c.done & ~bit });
const keyOf = (c: Configuration): string => `${c.state} ${c.readsLeft} ${c.done} ${c.open} ${c.deletes}`;
const isDefinite = (call: RegisterCall): boolean => call.returned !== Infinity;
const valueOf = (call: RegisterCall): string | undefined => (call.call === 'delete' ? undefined : call.value);

const take = (slots: (Call | undefined)[], call: Call): number => {
  const free = slots.indexOf(undefined);
  const slot = free < 0 ? slots.length : free;
  if (slot >= MAX_SLOTS) throw new GaveUp(`more than ${MAX_SLOTS} calls at once`);
  slots[slot] = call;
  return slot;
};

import { compareBytes } from '@cadastre/core';

export interface Entry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** A sorted stream of entries whose head can be looked at. */
interface Head {
  readonly entry: Entry;
  readonly source: AsyncIterator<Entry>;
}

/** Entries of many sorted sources in one order. All sources are started at once: bounding their work is theirs. */
export async function* mergeSorted(sources: readonly AsyncIterable<Entry>[]): AsyncGenerator<Entry> {
  const iterators = sources.map((source) => source[Symbol.asyncIterator]());
  try {
    const firsts = await Promise.all(iterators.map(headOf));
    const heap = firsts.filter((head) => head !== undefined).sort((a, b) => compareBytes(a.entry.key, b.entry.key));
    while (heap.length > 0) {
      const least = heap[0]!;
      yield least.entry;
      const next = await headOf(least.source);
      if (next) heap[0] = next;
      else heap[0] = heap.at(-1)!;
      if (!next) heap.pop();
      sink(heap);
    }
  } finally {
    await Promise.all(iterators.map((iterator) => iterator.return?.()));
  }
}

const headOf = async (source: AsyncIterator<Entry>): Promise<Head | undefined> => {
  const { done, value } = await source.next();
  return done ? undefined : { entry: value, source };
};

/** Restores the order of a binary heap whose root was replaced. */
const sink = (heap: Head[]): void => {
  for (let at = 0; ;) {
    let least = at;
    for (const child of [2 * at + 1, 2 * at + 2]) {
      if (child < heap.length && compareBytes(heap[child]!.entry.key, heap[least]!.entry.key) < 0) least = child;
    }
    if (least === at) return;
    [heap[at], heap[least]] = [heap[least]!, heap[at]!];
    at = least;
  }
};

/** At most `width` tasks at a time; the others wait in order. */
export class Gate {
  private readonly waiting: (() => void)[] = [];
  private free: number;

  constructor(width: number) {
    this.free = width;
  }

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.free === 0) await new Promise<void>((resolve) => this.waiting.push(resolve));
    else this.free -= 1;
    try {
      return await task();
    } finally {
      const next = this.waiting.shift();
      if (next) next();
      else this.free += 1;
    }
  }
}

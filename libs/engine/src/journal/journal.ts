import { CadastreError } from '@cadastre/core';
import type { Write } from '../core/backing.js';
import { decodeGroup, encodeGroup, goesOnAfter } from './group.codec.js';
import { SEGMENT_BYTES, type JournalDevice } from './journal-device.js';

export interface Replay {
  readonly writes: readonly Write[];
  /** Partitions of which a write is unreadable though it was durable once. */
  readonly damaged: ReadonlySet<number>;
}

const lost = (what: string): CadastreError =>
  new CadastreError('DATA_LOSS', `the journal cannot be read: ${what}`, {
    remedy: 'start with an empty directory: replicas are filled again from others',
  });

/**
 * One sequential log of all writes of an engine. A group is durable when `append` resolves. Groups go one after the other, so that
 * only the last can be torn by a crash, and a torn one was never acknowledged; anything else that is wrong is damage.
 */
export class Journal {
  /** Segment that is written, and where. 0 = none yet. */
  private segment = 0;
  private offset = 0;
  private room = 0;
  private previousEnd = 0;
  private rolled = false;

  constructor(private readonly device: JournalDevice) {}

  /** Everything from segment `from` on. @throws CadastreError DATA_LOSS */
  async open(from: number): Promise<Replay> {
    await this.device.open();
    const segments = (await this.device.list()).filter((segment) => segment >= from);
    if (segments.length === 0 && from > 1) throw lost(`segment ${from} is missing`);
    const contents: Buffer[] = [];
    for (const [i, segment] of segments.entries()) {
      if (segment !== from + i) throw lost(`segment ${from + i} is missing`);
      contents.push(await this.device.read(segment));
    }
    // Segments that were made and never written come last.
    const used = contents.findLastIndex((bytes, i) => decodeGroup(bytes, 0, from + i) !== undefined) + 1;
    const replay = { writes: [] as Write[], damaged: new Set<number>() };
    let end = 0;
    for (let i = 0; i < used; i += 1)
      end = replaySegment(contents[i]!, from + i, { first: i === 0, last: i === used - 1, previousEnd: end }, replay);
    await this.device.release(from);
    // What is written next goes to a segment of its own: nothing is ever written over what was read.
    this.segment = from + used - 1;
    this.previousEnd = end;
    this.rolled = true;
    return replay;
  }

  /** @returns bytes written */
  async append(writes: readonly Write[]): Promise<number> {
    let bytes = encodeGroup(this.segment, 0, writes);
    if (this.rolled || this.offset + bytes.length > this.room) {
      await this.roll(bytes.length);
      bytes = encodeGroup(this.segment, this.previousEnd, writes);
    }
    await this.device.write(this.segment, this.offset, bytes);
    this.offset += bytes.length;
    this.previousEnd = this.offset;
    return bytes.length;
  }

  /** What is appended from now on lies in segments from the returned one on, which is there. */
  async cut(): Promise<number> {
    await this.device.make(this.segment + 1, SEGMENT_BYTES);
    this.rolled = true;
    return this.segment + 1;
  }

  release(before: number): Promise<void> {
    return this.device.release(before);
  }

  close(): Promise<void> {
    return this.device.close();
  }

  private async roll(least: number): Promise<void> {
    this.room = Math.max(SEGMENT_BYTES, least);
    await this.device.make(this.segment + 1, this.room);
    this.segment += 1;
    this.offset = 0;
    this.rolled = false;
  }
}

/** @returns where the last group ends. @throws CadastreError DATA_LOSS */
const replaySegment = (
  bytes: Buffer,
  segment: number,
  place: { first: boolean; last: boolean; previousEnd: number },
  replay: { writes: Write[]; damaged: Set<number> },
): number => {
  let at = 0;
  for (let group = decodeGroup(bytes, at, segment); group; group = decodeGroup(bytes, at, segment)) {
    if (at === 0 && !place.first && group.previousEnd !== place.previousEnd)
      throw lost(`segment ${segment - 1} ends at ${place.previousEnd}, not at ${group.previousEnd}`);
    const torn = group.damaged.length > 0 && place.last && !goesOnAfter(bytes, group.end - 8, segment);
    if (torn) return at;
    for (const number of group.damaged) replay.damaged.add(number);
    for (const write of group.writes) replay.writes.push(write);
    at = group.end;
  }
  if (goesOnAfter(bytes, at, segment)) throw lost(`segment ${segment} is damaged at ${at}`);
  return at;
};

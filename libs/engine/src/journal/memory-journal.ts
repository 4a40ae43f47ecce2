import { CadastreError } from '@cadastre/core';
import type { JournalDevice } from './journal-device.js';

/** A journal's segments in memory: they survive a crash, and can be damaged as a disk can. For tests and simulation. */
export class MemoryJournal implements JournalDevice {
  readonly segments = new Map<number, Buffer>();
  private failures: CadastreError[] = [];
  private torn: number | undefined;
  private last: { segment: number; offset: number; length: number } | undefined;
  private alive = true;

  /** The next write changes nothing and rejects. */
  failNext(error = new CadastreError('RESOURCE_EXHAUSTED', 'the disk is full')): void {
    this.failures.push(error);
  }

  /** Of the next write only the first `bytes` reach the disk, and it is never answered. */
  tearNext(bytes: number): void {
    this.torn = bytes;
  }

  /** Where the newest group lies. */
  get newest(): { segment: number; offset: number; length: number } {
    if (!this.last) throw new Error('nothing was written');
    return this.last;
  }

  flip(segment: number, offset: number): void {
    const bytes = this.segments.get(segment)!;
    bytes.writeUInt8(bytes.readUInt8(offset) ^ 1, offset);
  }

  crash(): void {
    this.alive = false;
  }

  async open(): Promise<void> {
    this.alive = true;
    this.torn = undefined;
  }

  async close(): Promise<void> {
    this.alive = false;
  }

  async list(): Promise<number[]> {
    return [...this.segments.keys()].sort((a, b) => a - b);
  }

  async read(segment: number): Promise<Buffer> {
    return Buffer.from(this.segments.get(segment)!);
  }

  async make(segment: number, bytes: number): Promise<void> {
    const known = this.segments.get(segment);
    if (known && known.length >= bytes) return;
    const [oldest] = await this.list();
    const spare = oldest === undefined || known ? undefined : this.segments.get(oldest);
    // As files are used again: what an older life left lies where nothing was written yet.
    this.segments.set(segment, spare && spare.length >= bytes ? Buffer.from(spare) : Buffer.alloc(bytes));
  }

  async write(segment: number, offset: number, bytes: Uint8Array): Promise<void> {
    await Promise.resolve();
    if (!this.alive) return new Promise<never>(() => undefined);
    const failure = this.failures.shift();
    if (failure) throw failure;
    const { torn } = this;
    this.torn = undefined;
    this.segments.get(segment)!.set(bytes.subarray(0, torn ?? bytes.length), offset);
    this.last = { segment, offset, length: bytes.length };
    if (torn !== undefined) return new Promise<never>(() => undefined);
    return undefined;
  }

  async release(before: number): Promise<void> {
    for (const segment of await this.list()) if (segment < before) this.segments.delete(segment);
  }
}

import { CadastreError } from '@cadastre/core';

/** @throws never; for the reader and what reads with it */
export const malformed = (what: string): CadastreError =>
  new CadastreError('INVALID_ARGUMENT', `frame: ${what}`, {
    field: 'frame',
    remedy: 'send protobuf messages of cadastre.v1 as docs and proto describe them',
  });

/** Reads protobuf without copying: bytes are views of the frame. Everything that does not fit the frame throws `malformed`. */
export class ForwardReader {
  private buffer: Buffer = Buffer.alloc(0);
  private at = 0;
  private end = 0;
  private nameBytes: Buffer = Buffer.alloc(0);
  private name = '';

  /** Begins with the next frame. */
  load(frame: Buffer): this {
    this.buffer = frame;
    this.at = 0;
    this.end = frame.length;
    return this;
  }

  get done(): boolean {
    return this.at >= this.end;
  }

  /** Enters a nested message; `leave` takes what this returns. */
  enter(): number {
    const length = this.length();
    const outer = this.end;
    this.end = this.at + length;
    return outer;
  }

  leave(outer: number): void {
    this.at = this.end;
    this.end = outer;
  }

  /** field << 3 | wire type */
  tag(): number {
    const tag = this.uint();
    if (tag < 8 || tag > 0xffffffff) throw malformed(`has the tag ${tag}`);
    return tag;
  }

  /** Above 2^53 the number is rounded, and so no safe integer any more: who needs exactness looks for that. */
  uint(): number {
    const { buffer } = this;
    let value = 0;
    let factor = 1;
    for (let i = 0; i < 10; i += 1) {
      if (this.at >= this.end) throw malformed('ends within a number');
      const byte = buffer[this.at]!;
      this.at += 1;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 0x80;
    }
    throw malformed('has a number of more than 10 bytes');
  }

  /** As `uint`, cut to 32 bits the way protobuf does. */
  uint32(): number {
    const value = this.uint();
    return value <= 0xffffffff ? value : Number(BigInt.asUintN(32, BigInt(value)));
  }

  bool(): boolean {
    return this.uint() !== 0;
  }

  bytes(): Buffer {
    const length = this.length();
    const bytes = this.buffer.subarray(this.at, this.at + length);
    this.at += length;
    return bytes;
  }

  text(): string {
    const length = this.length();
    const text = this.buffer.toString('utf8', this.at, this.at + length);
    this.at += length;
    return text;
  }

  /** A text that is nearly always the one before: the keyspace. */
  sameText(): string {
    const length = this.length();
    if (length !== this.nameBytes.length || !this.isName()) {
      this.nameBytes = Buffer.from(this.buffer.subarray(this.at, this.at + length));
      this.name = this.nameBytes.toString('utf8');
    }
    this.at += length;
    return this.name;
  }

  /** Fields of a newer version are passed over. */
  skip(tag: number): void {
    switch (tag & 7) {
      case 0:
        this.uint();
        return;
      case 1:
        return this.pass(8);
      case 2:
        return this.pass(this.length());
      case 5:
        return this.pass(4);
      default:
        throw malformed(`has wire type ${tag & 7}`);
    }
  }

  private isName(): boolean {
    for (let i = 0; i < this.nameBytes.length; i += 1) if (this.buffer[this.at + i] !== this.nameBytes[i]) return false;
    return true;
  }

  private length(): number {
    const length = this.uint();
    if (length > this.end - this.at) throw malformed(`names ${length} bytes where ${this.end - this.at} are left`);
    return length;
  }

  private pass(bytes: number): void {
    if (bytes > this.end - this.at) throw malformed('ends within a field');
    this.at += bytes;
  }
}

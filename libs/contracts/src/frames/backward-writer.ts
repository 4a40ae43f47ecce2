const FIRST_BYTES = 16 * 1024;
/** Above it the buffer is given back after use, so that one large frame does not stay in memory for ever. */
const KEPT_BYTES = 1024 * 1024;

/**
 * Writes protobuf from the last byte to the first, so that the length of a nested message is known when it is due and nothing is measured
 * beforehand. Fields and repeated values are therefore written in reverse. Defaults are left out, as proto3 does.
 */
export class BackwardWriter {
  private buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  private at = FIRST_BYTES;

  /** Bytes written so far; what `nest` needs at the end of a message. */
  get used(): number {
    return this.buffer.length - this.at;
  }

  /** The bytes as a buffer of their own; the writer is empty again. */
  take(): Buffer {
    const taken = Buffer.from(this.buffer.subarray(this.at));
    if (this.buffer.length > KEPT_BYTES) this.buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
    this.at = this.buffer.length;
    return taken;
  }

  /** What was written since `used` was `mark` becomes a nested message, an empty one included. */
  nest(field: number, mark: number): void {
    this.varint(this.used - mark);
    this.tag(field, 2);
  }

  uint(field: number, value: number): void {
    if (value === 0) return;
    this.varint(value);
    this.tag(field, 0);
  }

  bool(field: number, value: boolean): void {
    if (value) this.uint(field, 1);
  }

  bytes(field: number, value: Uint8Array): void {
    if (value.length > 0) this.raw(field, value);
  }

  /** Bytes that are there even when they are empty: nested messages in their encoded form. */
  raw(field: number, value: Uint8Array): void {
    this.need(value.length);
    this.at -= value.length;
    this.buffer.set(value, this.at);
    this.varint(value.length);
    this.tag(field, 2);
  }

  text(field: number, value: string): void {
    if (value.length === 0) return;
    const mark = this.used;
    if (!this.ascii(value)) this.utf8(value);
    this.nest(field, mark);
  }

  /** Names and request ids are short and plain: a loop beats a call into the runtime. */
  private ascii(value: string): boolean {
    const { length } = value;
    this.need(length);
    const from = this.at - length;
    for (let i = 0; i < length; i += 1) {
      const code = value.charCodeAt(i);
      if (code > 0x7f) return false;
      this.buffer[from + i] = code;
    }
    this.at = from;
    return true;
  }

  private utf8(value: string): void {
    const length = Buffer.byteLength(value);
    this.need(length);
    this.at -= length;
    this.buffer.write(value, this.at);
  }

  private tag(field: number, wireType: number): void {
    this.varint((field << 3) | wireType);
  }

  private varint(value: number): void {
    if (value < 0x80) {
      this.need(1);
      this.at -= 1;
      this.buffer[this.at] = value;
      return;
    }
    let length = 1;
    for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length += 1;
    this.need(length);
    this.at -= length;
    let rest = value;
    for (let i = this.at; i < this.at + length - 1; i += 1) {
      this.buffer[i] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.buffer[this.at + length - 1] = rest;
  }

  private need(bytes: number): void {
    if (this.at >= bytes) return;
    const { used } = this;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.buffer.length * 2, used + bytes));
    this.buffer.copy(grown, grown.length - used, this.at);
    this.at = grown.length - used;
    this.buffer = grown;
  }
}

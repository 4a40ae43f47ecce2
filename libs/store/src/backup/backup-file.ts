import type { BackupFrame } from './backup-frames.js';
import { backupFrameCodec } from './backup-frames.js';
import { damaged } from './check-backup.js';

/** How a backup file begins; then each frame, u32 BE length before it. */
const MAGIC = Buffer.from('cadastre backup\n');
/** Larger than any frame that is written: a length beyond it is damage, and must not be believed. */
const FRAME_MAX = 64 * 1024 * 1024;

export const backupMagic = (): Uint8Array => Uint8Array.from(MAGIC);

export const frameBytes = (frame: BackupFrame): Uint8Array => {
  const body = backupFrameCodec.encode(frame);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  return Buffer.concat([length, body]);
};

/** The frames of a file that is read in pieces. @throws CadastreError DATA_LOSS */
export async function* readBackup(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<BackupFrame> {
  const input = new Pieces(pieces);
  const magic = await input.take(MAGIC.length);
  if (!magic || !MAGIC.equals(magic)) throw damaged('it does not begin as one');
  for (;;) {
    const head = await input.take(4);
    if (!head) return;
    const length = head.readUInt32BE(0);
    if (length > FRAME_MAX) throw damaged(`a frame of ${length} bytes`);
    const body = await input.take(length);
    if (!body) throw damaged('it ends in the middle of a frame');
    yield decoded(body);
  }
}

const decoded = (body: Buffer): BackupFrame => {
  let frame: BackupFrame | undefined;
  try {
    frame = backupFrameCodec.decode(body);
  } catch (error) {
    throw damaged(`a frame cannot be read: ${String(error)}`);
  }
  if (!frame) throw damaged('a frame of no known kind');
  // A reader of protobuf overlooks some changed bits (the wire type in a tag), so what was read has to give the same bytes again. Not the
  // header: that of a later format may say more, and is refused as such.
  if (frame.kind !== 'header' && !body.equals(backupFrameCodec.encode(frame))) throw damaged('bytes were changed');
  return frame;
};

/** Bytes by the number that is asked for, whatever the pieces are. */
class Pieces {
  private readonly from: AsyncIterator<Uint8Array>;
  private rest: Buffer[] = [];
  private held = 0;

  constructor(pieces: AsyncIterable<Uint8Array>) {
    this.from = pieces[Symbol.asyncIterator]();
  }

  /** Undefined at the end of the input; a shorter rest is damage. */
  async take(length: number): Promise<Buffer | undefined> {
    while (this.held < length) {
      const next = await this.from.next();
      if (next.done) break;
      this.rest.push(Buffer.from(next.value));
      this.held += next.value.length;
    }
    if (this.held === 0 && length > 0) return undefined;
    if (this.held < length) throw damaged('it ends too early');
    const all = this.rest.length === 1 ? this.rest[0]! : Buffer.concat(this.rest);
    this.rest = [all.subarray(length)];
    this.held -= length;
    return all.subarray(0, length);
  }
}

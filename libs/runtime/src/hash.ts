import { createHash } from 'node:crypto';

/** Of bytes that come in pieces. */
export class Sha256 {
  private readonly hash = createHash('sha256');

  update(bytes: Uint8Array | string): this {
    this.hash.update(bytes);
    return this;
  }

  /** Once, at the end. */
  hex(): string {
    return this.hash.digest('hex');
  }
}

export const sha256Hex = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex');

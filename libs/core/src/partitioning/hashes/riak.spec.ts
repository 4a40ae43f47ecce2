import { describe, expect, it } from '@jest/globals';
import { hashWords, riakHashBigInt, riakPartition } from './index.js';

const bytes = (text: string) => new TextEncoder().encode(text);
const placed = (first: number, partitions: number) => {
  hashWords[0] = first;
  return riakPartition(partitions);
};

describe('Riak', () => {
  // Plan: crypto:hash(sha, term_to_binary(...)) of Erlang/OTP 25, without and with a bucket type.
  it('hashes bucket and key', () => {
    expect(riakHashBigInt(bytes('users'), bytes('alice'))).toBe(643103445968468411849491414972540505474848359948n);
    expect(riakHashBigInt(bytes('users'), bytes('alice'), bytes('maps'))).toBe(
      411072795562973273850430942402523548732386570446n,
    );
  });

  // Plan: the first of the preference list is the partition after the one in which the hash lies, and after the last comes the first.
  it('goes to the next partition', () => {
    expect(placed(0, 64)).toBe(1);
    expect(placed(0x03ffffff, 64)).toBe(1);
    expect(placed(0x04000000, 64)).toBe(2);
    expect(placed(0xffffffff, 64)).toBe(0);
    expect(placed(0x80000000, 8)).toBe(5);
  });
});

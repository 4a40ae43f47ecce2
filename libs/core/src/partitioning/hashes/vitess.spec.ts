import { describe, expect, it } from '@jest/globals';
import {
  hashWords,
  unsignedOfWords,
  vitessBinaryMd5,
  vitessHash,
  vitessHashBigInt,
  vitessUnicodeLooseXxhash,
  vitessXxhashBigInt,
} from './index.js';

const bytes = (text: string) => new TextEncoder().encode(text);
const hex = (value: bigint, bytesLong = 8) => value.toString(16).padStart(2 * bytesLong, '0');

describe('Vitess', () => {
  // Plan: the keyspace ids of hash_test.go, and of a negative number.
  it.each([
    [1n, '166b40b44aba4bd6'],
    [2n, '06e7ea22ce92708f'],
    [3n, '4eb190c9a2fa169c'],
    [4n, 'd2fd8867d50d2dfe'],
    [5n, '70bb023c810ca87a'],
    [6n, 'f098480ac4c4be71'],
    [-1n, '355550b2150e2451'],
  ])('hash of %i', (value, id) => expect(hex(vitessHashBigInt(value))).toBe(id));

  // Plan: with a key of zeros DES undoes itself, as ReverseMap needs.
  it('hash is its own inverse', () => {
    vitessHash(0x01234567, 0x89abcdef);
    vitessHash(hashWords[0]!, hashWords[1]!);
    expect([hashWords[0], hashWords[1]]).toEqual([0x01234567, 0x89abcdef]);
  });

  // Plan: the keyspace ids of xxhash_test.go; NULL hashes as the empty value.
  it.each([
    ['test1', 'd01ab7e4d6978f0b'],
    ['test2', '87eb11714c0a0e89'],
    ['testaverylongvaluetomakesurethisworks', '81d8c38e0d850e6a'],
    ['1', 'd46405367612b4b7'],
    ['-9223372036854775808', '102c27ddb26a609e'],
    ['', '99e9d85137db46ef'],
  ])('xxhash of %j', (text, id) => expect(hex(vitessXxhashBigInt(bytes(text)))).toBe(id));

  // Plan: the keyspace ids of unicodeloosexxhash_test.go that are ASCII: case and trailing spaces do not count, others do.
  it.each([
    ['Test', '42d21361087a4c07'],
    ['TEst', '42d21361087a4c07'],
    ['Test ', '42d21361087a4c07'],
    ['Test\t', '20af87fc36e3fd51'],
    ['T', 'f81c3be2d501fe18'],
  ])('unicode_loose_xxhash of %j', (text, id) => {
    vitessUnicodeLooseXxhash(bytes(text));
    expect(hex(unsignedOfWords(2))).toBe(id);
  });

  // Plan: beyond ASCII the weights are not known here, so the key is refused rather than misplaced.
  it('unicode_loose_xxhash refuses what is no ASCII', () => {
    expect(() => vitessUnicodeLooseXxhash(bytes('Tést'))).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', field: 'key', limit: 'ASCII', remedy: expect.any(String) }),
    );
  });

  // Plan: the keyspace id of binarymd5_test.go.
  it('binary_md5', () => {
    vitessBinaryMd5(bytes('Test'));
    expect(hex(unsignedOfWords(4), 16)).toBe('0cbc6611f5540bd0809a388dc95a615b');
  });
});

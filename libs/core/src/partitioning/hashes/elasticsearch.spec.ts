import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import {
  elasticsearchHash,
  elasticsearchPartitionedHash,
  elasticsearchRoutingShards,
  elasticsearchShard,
  murmur3Int,
} from './index.js';

const bytes = (text: string) => new TextEncoder().encode(text);

describe('Elasticsearch', () => {
  // Plan: the values of Murmur3HashFunctionTests.
  it.each([
    ['hell', 0x5a0cb7c3],
    ['hello', 0xd7c31989],
    ['hello w', 0x22ab2984],
    ['hello wo', 0xdf0ca123],
    ['hello wor', 0xe7744d61],
    ['The quick brown fox jumps over the lazy dog', 0xe07db09c],
    ['The quick brown fox jumps over the lazy cog', 0x4e63d2ad],
  ])('hashes %j', (text, expected) => expect(elasticsearchHash(bytes(text)) >>> 0).toBe(expected));

  // Plan: any bytes are decoded as the platform's own decoder decodes them, replacements included.
  it('decodes what is no UTF-8 as the WHATWG decoder does', () => {
    const byte = fc.oneof(
      fc.nat(255),
      fc.constantFrom(0xe0, 0xed, 0xf0, 0xf4, 0xc2, 0x80, 0x9f, 0xa0, 0xbf, 0x90, 0x8f),
    );
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 12 }), (list) => {
        const key = Uint8Array.from(list);
        const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(key);
        expect(elasticsearchHash(key)).toBe(murmur3Int(Uint8Array.from(Buffer.from(text, 'utf16le'))));
      }),
      { numRuns: 2000 },
    );
  });

  // Plan: floorMod of negative hashes; the routing shards that an index of 7.0 gets by default; wrapping of the moved hash.
  it('goes from hash to shard', () => {
    expect(elasticsearchShard(-1, 640, 5)).toBe(4);
    expect(elasticsearchShard(-640, 640, 5)).toBe(0);
    expect(elasticsearchShard(127, 640, 5)).toBe(0);
    expect(elasticsearchShard(128, 640, 5)).toBe(1);
    expect([1, 2, 3, 5, 8, 600, 1024, 1025].map(elasticsearchRoutingShards)).toEqual([
      1024, 1024, 768, 640, 1024, 1200, 2048, 2050,
    ]);
    expect(elasticsearchPartitionedHash(0x7fffffff, 1, 3)).toBe(-0x80000000);
    expect(elasticsearchPartitionedHash(0, -1, 3)).toBe(2);
  });
});

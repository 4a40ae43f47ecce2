import { describe, expect, it } from '@jest/globals';
import { murmur3Int, solrHash } from './index.js';

const bytes = (text: string) => new TextEncoder().encode(text);
const hash = (text: string) => murmur3Int(bytes(text));

describe('SolrCloud', () => {
  // Plan: the hashes that TestHashPartitioner lists, and the upper two bits of composite ids, on which its four shards depend.
  it.each([
    ['b', 2],
    ['c', 3],
    ['d', 0],
    ['e', 1],
    ['b!foo', 2],
    ['c/2!bar', 3],
    ['d/32!baz', 0],
    ['foo/0!e', 1],
  ])('puts %j where Solr does', (id, upperBits) => expect(solrHash(bytes(id)) >>> 30).toBe(upperBits));

  // Plan: the bits of the documentation: 16 and 16, 8 and 8 and 16, and as many as are said.
  it('combines the parts by bits', () => {
    expect(solrHash(bytes('t!d'))).toBe((hash('t') & 0xffff0000) | (hash('d') & 0xffff));
    expect(solrHash(bytes('a!t!d'))).toBe((hash('a') & 0xff000000) | (hash('t') & 0xff0000) | (hash('d') & 0xffff));
    expect(solrHash(bytes('t/4!d'))).toBe((hash('t') & 0xf0000000) | (hash('d') & 0x0fffffff));
    expect(solrHash(bytes('a/2!t/4!d'))).toBe(
      (hash('a') & 0xc0000000) | (hash('t') & 0x3c000000) | (hash('d') & 0x03ffffff),
    );
    expect(solrHash(bytes('a!t!d!more'))).toBe(
      (hash('a') & 0xff000000) | (hash('t') & 0xff0000) | (hash('d!more') & 0xffff),
    );
  });

  // Plan: a separator at the end begins an empty part, whose hash is 0; an id may stand inside a larger buffer.
  it('takes ids that end in a separator', () => {
    expect(solrHash(bytes('t!'))).toBe(hash('t') & 0xffff0000);
    expect(solrHash(bytes('t!!'))).toBe(hash('t') & 0xffff0000);
    expect(solrHash(bytes('a!t!'))).toBe((hash('a') & 0xff000000) | (hash('t') & 0xff0000));
    expect(solrHash(bytes('x!t!d!'), 2, 5)).toBe(solrHash(bytes('t!d')));
  });
});

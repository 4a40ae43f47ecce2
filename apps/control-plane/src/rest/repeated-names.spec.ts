import { describe, expect, it } from '@jest/globals';
import { refuseRepeatedNames } from './repeated-names.js';

describe('refuseRepeatedNames', () => {
  it.each([
    ['twice at the top', '{"actor":"ann","actor":"ben"}', 'actor'],
    ['by escapes', '{"actor":"ann","\\u0061ctor":"ben"}', 'actor'],
    ['deep inside', '[{"a":[{"b":{"c":1,"d":[],"c":2}}]}]', 'c'],
    ['after a value that looks like a name', '{"a":"b","b":{"x":"a"},"a":1}', 'a'],
    ['after strings with quotes and braces', '{"a":"\\"}{","a":"]"}', 'a'],
  ])('finds a name that stands %s', (_story, text, field) => {
    // Plan: valid JSON in which one object has a name twice; it is refused by that name.
    expect(() => refuseRepeatedNames(text)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', field, remedy: 'send each field once' }),
    );
  });

  it.each([
    '{"a":"a","b":{"a":1},"c":[{"a":1},{"a":2},"a","a"]}',
    '["a","a"]',
    '"a"',
    '{"a":{"b":1},"b":{"a":2}}',
    '{"":1," ":2}',
    '}}]]{"a',
    '',
  ])('lets %s pass', (text) => {
    // Plan: each object has each name once, or the text is no JSON at all and its parser says so.
    expect(() => refuseRepeatedNames(text)).not.toThrow();
  });
});

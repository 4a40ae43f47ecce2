import { describe, expect, it } from '@jest/globals';
import { parseTraceparent, traceparentOf } from './tracing.js';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const spanId = '00f067aa0ba902b7';

describe('traceparent', () => {
  // Plan: the example of the specification both ways, and one of a later version that has more behind it.
  it('is read and written', () => {
    const text = `00-${traceId}-${spanId}-01`;
    expect(parseTraceparent(text)).toEqual({ traceId, spanId, traceFlags: 1 });
    expect(traceparentOf({ traceId, spanId, traceFlags: 1 })).toBe(text);
    expect(parseTraceparent(`cc-${traceId}-${spanId}-03-what-the-future`)).toMatchObject({ traceFlags: 3 });
  });

  // Plan: nothing recorded, nothing there, zeros, capitals, the forbidden version, something cut off.
  it.each([
    undefined,
    '',
    `00-${traceId}-${spanId}-00`,
    `00-${'0'.repeat(32)}-${spanId}-01`,
    `00-${traceId}-${'0'.repeat(16)}-01`,
    `00-${traceId.toUpperCase()}-${spanId}-01`,
    `ff-${traceId}-${spanId}-01`,
    `00-${traceId}-${spanId}-0`,
    `00-${traceId}-${spanId}-01x`,
  ])('is none in %j', (text) => {
    expect(parseTraceparent(text)).toBeUndefined();
  });
});

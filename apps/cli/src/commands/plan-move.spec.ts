import { describe, expect, it } from '@jest/globals';
import { parseMove } from './plan-move.js';

describe('a move by hand', () => {
  it('is read from one word', () => {
    // Node names may hold what host names hold.
    expect(parseMove('orders/17:n-1.rack-2->n2')).toEqual({
      keyspace: 'orders',
      partition: 17,
      from: 'n-1.rack-2',
      to: 'n2',
      kind: 'replica',
    });
  });

  it.each([
    '',
    'orders',
    'orders/17',
    'orders/x:n1->n2',
    'orders/17:n1',
    'orders/17:->n2',
    'orders/17:n1->',
    '/1:a->b',
  ])('is refused by the name of its option: "%s"', (text) => {
    // Whatever is missing or no number: the error names the option and shows how.
    expect(() => parseMove(text)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT', field: '--move' }));
  });
});

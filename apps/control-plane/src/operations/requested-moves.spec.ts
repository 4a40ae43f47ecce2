import { describe, expect, it } from '@jest/globals';
import { keyspacesOfProposal, manualMoves, REQUESTED_MOVES_MAX } from './requested-moves.js';

const asked = { keyspace: 'orders', partition: 3, from: 'n1', to: 'n2', kind: '' };

describe('moves that are asked for by hand', () => {
  it('are taken over, a copy unless leadership is named', () => {
    // Both kinds: an empty kind is a copy, a leader needs no source.
    expect(manualMoves([asked, { ...asked, kind: 'leader', from: '' }])).toEqual([
      { keyspace: 'orders', partition: 3, from: 'n1', to: 'n2', kind: 'replica' },
      { keyspace: 'orders', partition: 3, from: '', to: 'n2', kind: 'leader' },
    ]);
  });

  it.each([
    ['moves[1].kind', { ...asked, kind: 'swap' }],
    ['moves[1].keyspace', { ...asked, keyspace: '' }],
    ['moves[1].from', { ...asked, from: '' }],
    ['moves[1].to', { ...asked, to: '' }],
  ])('are refused by the name of the field: %s', (field, bad) => {
    // Each field wrong by itself, after a move that is right.
    expect(() => manualMoves([asked, bad])).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT', field }));
  });

  it('are bounded', () => {
    // One more than the bound.
    const many = Array.from({ length: REQUESTED_MOVES_MAX + 1 }, () => asked);
    expect(() => manualMoves(many)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT', field: 'moves' }));
  });

  it('say which keyspaces the proposal is about', () => {
    // Named ones win, and a move outside of them is an error; without names those of the moves; without either all.
    const moves = manualMoves([asked, asked]);
    expect(keyspacesOfProposal([], [])).toEqual([]);
    expect(keyspacesOfProposal([], moves)).toEqual(['orders']);
    expect(keyspacesOfProposal(['orders', 'users'], moves)).toEqual(['orders', 'users']);
    expect(() => keyspacesOfProposal(['users'], moves)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', field: 'moves[0].keyspace' }),
    );
  });
});

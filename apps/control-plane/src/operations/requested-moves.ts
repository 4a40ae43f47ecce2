import type { ManualMove } from '@cadastre/core';
import { invalid } from '@cadastre/core';

/** A move as gRPC and REST have it. */
export interface RequestedMove {
  readonly keyspace: string;
  readonly partition: number;
  readonly from: string;
  readonly to: string;
  readonly kind: string;
}

/** Moves that one call may ask for by hand. */
export const REQUESTED_MOVES_MAX = 1_000;

/** @throws CadastreError INVALID_ARGUMENT naming the move and what is wrong with it */
export const manualMoves = (moves: readonly RequestedMove[]): ManualMove[] => {
  if (moves.length > REQUESTED_MOVES_MAX)
    throw invalid('moves', `are ${moves.length}`, 'ask in several calls', `at most ${REQUESTED_MOVES_MAX}`);
  return moves.map(({ keyspace, partition, from, to, kind }, i) => {
    const field = `moves[${i}]`;
    if (kind !== '' && kind !== 'replica' && kind !== 'leader')
      throw invalid(`${field}.kind`, 'is no kind of move', 'use replica or leader');
    if (keyspace === '') throw invalid(`${field}.keyspace`, 'is empty', 'name the keyspace');
    if (to === '') throw invalid(`${field}.to`, 'is empty', 'name the node that the copy goes to');
    if (from === '' && kind !== 'leader')
      throw invalid(`${field}.from`, 'is empty', 'name the node that holds the copy now');
    return { keyspace, partition, from, to, kind: kind === 'leader' ? 'leader' : 'replica' };
  });
};

/**
 * What a proposal is about: the keyspaces that are named, else those of its moves; none for all.
 * @throws CadastreError INVALID_ARGUMENT where a move is in none of the keyspaces that are named
 */
export const keyspacesOfProposal = (keyspaces: readonly string[], moves: readonly ManualMove[]): readonly string[] => {
  if (keyspaces.length === 0) return [...new Set(moves.map((m) => m.keyspace))];
  const outside = moves.findIndex((m) => !keyspaces.includes(m.keyspace));
  if (outside >= 0)
    throw invalid(`moves[${outside}].keyspace`, 'is not among the keyspaces', 'name it there too, or name none');
  return keyspaces;
};

import { invalid } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';

const MOVE = /^([^/\s]+)\/(\d{1,9}):(\S+?)->(\S+)$/;

/**
 * @param text KEYSPACE/PARTITION:FROM->TO, one copy of one partition
 * @throws CadastreError INVALID_ARGUMENT where it is anything else
 */
export const parseMove = (text: string): Wire.RequestedMove => {
  const [, keyspace, partition, from, to] = MOVE.exec(text) ?? [];
  if (keyspace === undefined || partition === undefined || from === undefined || to === undefined)
    throw invalid('--move', `"${text}" is no move`, "write it as 'orders/17:n1->n2', in quotes");
  return { keyspace, partition: Number(partition), from, to, kind: 'replica' };
};

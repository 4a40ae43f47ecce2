import type { KeyspaceMap } from '@cadastre/core';
import { invalid } from '@cadastre/core';
import type { ReceivedOp } from '@cadastre/contracts';

/**
 * The partition of a request whose caller has no map (`target.by_key`).
 * @throws CadastreError INVALID_ARGUMENT for what has no single place
 */
export const placeOf = (op: ReceivedOp, map: KeyspaceMap): number => {
  if (op.kind === 'scan')
    throw invalid('target.by_key', 'cannot place a scan, which has no key', 'name the partition, or ask a router');
  if (op.kind !== 'batch') return map.partitionOf(op.request.key);
  const places = new Set(op.request.ops.map(({ key }) => map.partitionOf(key)));
  if (places.size > 1)
    throw invalid(
      'ops',
      `belong to ${places.size} partitions`,
      'send a batch for each partition; the smart client splits them by itself',
    );
  return [...places][0] ?? 0;
};

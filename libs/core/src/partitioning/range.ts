import { compareBytes } from '../bytes.js';
import { isEmptyRange } from './key-part.js';
import type { Partitioner } from './partitioner.js';
import type { RangeScheme } from './scheme.js';
import { tableBytes } from './token-table.js';

export const compileRange = (scheme: RangeScheme): Partitioner => {
  const { splitPoints } = scheme;
  const partitionOf = tableBytes(splitPoints);
  const partitionsFor = (start: Uint8Array, end: Uint8Array | undefined): number[] => {
    if (isEmptyRange(start, end)) return [];
    const result: number[] = [];
    for (let p = partitionOf(start); p <= splitPoints.length; p += 1) {
      if (end && p > 0 && result.length > 0 && compareBytes(splitPoints[p - 1]!, end) >= 0) break;
      result.push(p);
    }
    return result;
  };
  return {
    scheme,
    partitions: splitPoints.length + 1,
    token: (key) => key,
    partitionOf,
    partitionsFor,
    ordered: true,
    rangesOf: (partition) => [{ start: splitPoints[partition - 1], end: splitPoints[partition] }],
    ownerOf: () => undefined,
  };
};

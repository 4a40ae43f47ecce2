import type { KeyspaceLoad } from './keyspace-load.js';
import { FINE } from './keyspace-load.js';
import { CODE, SCALES } from './log-scale.js';

/** Steps of ten seconds that are looked at: a minute, without the one that is open. */
const STEPS = 6;

/** Operations a second of each series over the last minute; 0 where nobody measured. */
export const recentRates = ({ fine, series }: KeyspaceLoad, wallMs: number): Float64Array => {
  const open = Math.floor(wallMs / FINE.stepMs);
  const sums = new Float64Array(series);
  const known = new Uint8Array(series);
  for (let bin = open - STEPS; bin < open; bin += 1)
    for (const metric of ['reads', 'writes'] as const) {
      const column = fine.column(metric, bin);
      for (let s = 0; s < series; s += 1) {
        if (column[s] === CODE.none) continue;
        sums[s] = sums[s]! + SCALES[metric].decode(column[s]!)!;
        if (metric === 'reads') known[s] = known[s]! + 1;
      }
    }
  return sums.map((sum, s) => (known[s]! > 0 ? sum / known[s]! : 0));
};

import { get, path } from '../model/api.js';
import type { Heat } from '../model/api.types.js';
import { now } from '../model/store.js';
import { type Loaded, useData } from '../ui/use-data.js';

/** A partition is hot that has so many times the mean. */
export const HOT_TIMES = 3;
const REREAD_MS = 10_000;
const HOTTEST = 100;

const load = (keyspace: string, metric: string): Promise<Heat> =>
  get<Heat>(`${path`/api/v1/keyspaces/${keyspace}/heat`}?metric=${metric}&timeBins=2&buckets=1&hottest=${HOTTEST}`);

/** Reads and writes of the last ten minutes; nothing is asked for before it is wanted. */
export const useHeats = (keyspace: string, isWanted: boolean): Loaded<readonly Heat[] | undefined> =>
  useData(`${keyspace} ${isWanted && Math.floor(now.value / REREAD_MS)}`, () =>
    isWanted ? Promise.all([load(keyspace, 'reads'), load(keyspace, 'writes')]) : Promise.resolve(undefined),
  );

/** At most a hundred by reads and a hundred by writes. */
export const hotOf = (heats: readonly Heat[]): Set<number> =>
  new Set(
    heats.flatMap(({ hottest, metric, mean, measuredTogether }) =>
      hottest
        .filter(
          (hot) =>
            (metric === 'reads' ? hot.readsPerSecond : hot.writesPerSecond) >= HOT_TIMES * mean * measuredTogether,
        )
        .flatMap((hot) => Array.from({ length: measuredTogether }, (_, i) => hot.partition + i)),
    ),
  );

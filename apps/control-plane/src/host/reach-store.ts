import { CadastreError } from '@cadastre/core';
import type { Clock, Logger, Random } from '@cadastre/runtime';
import { Backoff, delay } from '@cadastre/runtime';
import type { Store, StoreStatus } from '@cadastre/store';

export interface ReachStoreOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly endpoints: readonly string[];
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** @throws CadastreError UNAVAILABLE naming the endpoints and the remedy when etcd does not answer in time */
export const reachStore = async (store: Store, options: ReachStoreOptions): Promise<StoreStatus> => {
  const { clock, random, logger, endpoints, timeoutMs, signal } = options;
  const backoff = new Backoff({ initialMs: 200, maxMs: 3_000 }, random);
  const giveUpAt = clock.monotonicMs() + timeoutMs;
  for (let tries = 1; ; tries += 1) {
    try {
      return await store.status({
        deadlineMs: Math.max(100, Math.min(3_000, timeoutMs / 4, giveUpAt - clock.monotonicMs())),
      });
    } catch (thrown) {
      const error = unreachable(endpoints, CadastreError.from(thrown));
      const left = giveUpAt - clock.monotonicMs();
      if (left <= 0 || signal?.aborted) throw error;
      const log = tries === 1 ? logger.error : logger.warn;
      log(`${error.message}; trying for another ${Math.ceil(left / 1000)} s`, {
        code: error.code,
        remedy: error.remedy,
        tries,
      });
      await delay(clock, Math.min(left, backoff.nextMs()), signal);
    }
  }
};

const unreachable = (endpoints: readonly string[], cause: CadastreError): CadastreError => {
  if (cause.code !== 'UNAVAILABLE' && cause.code !== 'DEADLINE_EXCEEDED' && cause.code !== 'UNKNOWN_OUTCOME')
    return cause;
  return new CadastreError('UNAVAILABLE', `etcd does not answer at ${endpoints.join(', ')}: ${cause.message}`, {
    field: '--etcd',
    remedy:
      'start etcd, or correct --etcd (with https also --etcd-tls-ca and its fellows); etcdctl endpoint health shows whether it is well',
    cause,
  });
};

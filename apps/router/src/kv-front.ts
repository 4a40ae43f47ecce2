import { CadastreError, checkKey, invalid, LIMITS } from '@cadastre/core';
import type { CadastreClient, Entry } from '@cadastre/client';
import type { KvCaller, KvReply, ReceivedOp, Wire } from '@cadastre/contracts';
import type { Clock } from '@cadastre/runtime';

/** Kept back of the caller's time for the way back, so that the caller hears what became of its request. */
const WAY_BACK_MS = 5;
const SCAN_BYTES_MAX = 2 * 1024 * 1024;

export interface KvFrontOptions {
  readonly client: CadastreClient;
  readonly clock: Clock;
  /** Requests under way at once, over all callers. */
  readonly inFlightMax: number;
}

/** Kv for callers that do not follow the map: each request goes to the leader of its partition through the smart client. */
export class KvFront {
  /** Requests under way. */
  inFlight = 0;

  constructor(private readonly options: KvFrontOptions) {}

  /** @throws CadastreError; never NOT_OWNER, which is healed here */
  async serve(op: ReceivedOp, caller: KvCaller): Promise<KvReply> {
    const { inFlightMax } = this.options;
    if (this.inFlight >= inFlightMax)
      throw new CadastreError('RESOURCE_EXHAUSTED', `${this.inFlight} requests are under way`, {
        limit: `${inFlightMax} requests`,
        remedy: 'back off and retry, or ask another router',
      });
    const gone = new AbortController();
    caller.once('cancelled', () => gone.abort());
    this.inFlight += 1;
    try {
      const limits = { ...this.timeFor(caller), signal: gone.signal, parent: caller.span?.context };
      if (op.kind === 'scan' && op.request.target?.byKey) return await this.scanAll(op.request, gone.signal);
      return await this.options.client.ask(op, { ...limits, flow: caller.stream });
    } finally {
      this.inFlight -= 1;
    }
  }

  /** A call without a deadline is given the client's own. */
  private timeFor(caller: KvCaller): { timeoutMs?: number } {
    const deadline = caller.getDeadline();
    const remainingMs = (typeof deadline === 'number' ? deadline : deadline.getTime()) - this.options.clock.wallMs();
    return remainingMs === Infinity ? {} : { timeoutMs: Math.max(1, remainingMs - WAY_BACK_MS) };
  }

  /** Over all partitions in key order, a page at a time; `next` is where the next one begins. */
  private async scanAll(request: Wire.ScanRequest__Output, signal: AbortSignal): Promise<Wire.ScanReply> {
    const { target, start, end, limit, reverse } = request;
    if (limit < 1 || limit > LIMITS.scanLimitMax)
      throw invalid('limit', `is ${limit}`, 'give a limit and go on from `next`', `1 to ${LIMITS.scanLimitMax}`);
    if (reverse) throw invalid('reverse', 'cannot be had over all partitions', 'name a partition, or scan forwards');
    if (start.length > 0) checkKey(start, 'start');
    const entries: Entry[] = [];
    let bytes = 0;
    const all = this.options.client.keyspace(target!.keyspace).scan({
      ...(start.length > 0 && { start }),
      ...(end.length > 0 && { end }),
      limit: limit + 1,
      signal,
    });
    for await (const entry of all) {
      if (entries.length === limit || bytes >= SCAN_BYTES_MAX) return page(entries, entry.key);
      entries.push(entry);
      bytes += entry.key.length + entry.value.length;
    }
    return page(entries, undefined);
  }
}

const page = (entries: readonly Entry[], next: Uint8Array | undefined): Wire.ScanReply =>
  ({ entries, more: next !== undefined, ...(next && { next }) }) as unknown as Wire.ScanReply;

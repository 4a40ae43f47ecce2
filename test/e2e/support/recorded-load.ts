import type { CadastreClient } from '@cadastre/client';
import { CadastreError } from '@cadastre/core';
import { seededRandom } from '@cadastre/runtime';
import type { HistoryEvent, Violation } from '@cadastre/testkit';
import { checkClients, pairCalls } from '@cadastre/testkit';

export interface RecordedLoadOptions {
  readonly client: CadastreClient;
  readonly keyspace: string;
  readonly workers: number;
  readonly keys: number;
  readonly seed: number;
  readonly pauseMs: number;
}

/** Puts, gets and deletes of few keys by several workers, each call written down for the checkers of histories. */
export class RecordedLoad {
  private readonly events: HistoryEvent[] = [];
  private readonly failures: string[] = [];
  private running = true;
  private readonly done: Promise<unknown>;
  acknowledged = 0;

  constructor(private readonly options: RecordedLoadOptions) {
    this.done = Promise.all(Array.from({ length: options.workers }, (_, i) => this.work(i)));
  }

  /** Ends it, reads every key once more. @returns what the checkers found, and calls that failed */
  async stop(): Promise<{ violations: readonly Violation[]; failures: readonly string[]; calls: number }> {
    this.running = false;
    await this.done;
    for (let k = 0; k < this.options.keys; k += 1) await this.call('last', k + 1, 'get', `k${k}`);
    const calls = pairCalls(this.events);
    return { violations: checkClients(calls), failures: this.failures, calls: calls.length };
  }

  private async work(worker: number): Promise<void> {
    const { seed, keys, pauseMs } = this.options;
    const random = seededRandom(seed * 100 + worker);
    for (let op = 1; this.running; op += 1) {
      const dice = random();
      const call = dice < 0.4 ? 'get' : dice < 0.95 ? 'put' : 'delete';
      await this.call(`w${worker}`, op, call, `k${Math.floor(random() * keys)}`);
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }

  private async call(who: string, op: number, call: 'get' | 'put' | 'delete', key: string): Promise<void> {
    const { client, keyspace: name } = this.options;
    const keyspace = client.keyspace(name);
    const value = `${who}:${op}`;
    const partition = client.map(name)?.partitionOf(Buffer.from(key)) ?? 0;
    const told = { process: who, op } as const;
    const what = { call, keyspace: name, partition, key, ...(call === 'put' && { value }) };
    this.events.push({ type: 'invoke', at: performance.now(), ...told, ...what });
    try {
      if (call === 'get') {
        const found = await keyspace.get(key);
        const read = found && { value: Buffer.from(found).toString() };
        this.events.push({ type: 'ok', at: performance.now(), ...told, ...read });
      } else {
        const { epoch, seq } = await (call === 'put' ? keyspace.put(key, value) : keyspace.delete(key));
        this.events.push({ type: 'ok', at: performance.now(), ...told, epoch, seq });
      }
      this.acknowledged += 1;
    } catch (thrown) {
      const error = CadastreError.from(thrown);
      const type = call === 'get' ? 'fail' : 'info';
      this.events.push({ type, at: performance.now(), ...told, error: error.message });
      this.failures.push(`${call} ${key}: ${error.code} ${error.message}`);
    }
  }
}

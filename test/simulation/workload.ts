import { CadastreError } from '@cadastre/core';
import type { TriedInfo } from '@cadastre/client';
import type { Random } from '@cadastre/runtime';
import { seededRandom } from '@cadastre/runtime';
import type { World } from './world.js';

export const KEYSPACE = 'ks';

export interface WorkloadOptions {
  readonly workersPerClient: number;
  readonly keys: number;
  readonly pauseMs: number;
  readonly timeoutMs: number;
  readonly partitionOf: (key: string) => number;
}

/** Workers of the clients: each has one call at a time, every value is written once. */
export class Workload {
  running = true;
  acknowledged = 0;
  private next = 0;
  private readonly random: Random;

  constructor(
    private readonly world: World,
    private readonly options: WorkloadOptions,
  ) {
    this.random = seededRandom(world.options.seed ^ 0x44444444);
  }

  /** Begins the workers of one client's process; they end with it. */
  start(clientId: string): void {
    for (let i = 0; i < this.options.workersPerClient; i += 1) this.loop(clientId);
  }

  /** One read of every key through `clientId`, after the last fault: each must be answered. */
  async readAll(clientId: string): Promise<void> {
    const worker = this.newWorker(clientId);
    for (let k = 0; k < this.options.keys; k += 1) await worker.get(this.key(k), 30_000);
  }

  private loop(clientId: string): void {
    const machine = this.world.clients.get(clientId)!;
    const { process } = machine;
    const worker = this.newWorker(clientId);
    const step = (): void => {
      if (!this.running || machine.process !== process) return;
      const pause = (): void => void process.later(this.random() * 2 * this.options.pauseMs, `${clientId} works`, step);
      if (!machine.client) return pause();
      void this.act(worker).then(pause);
    };
    step();
  }

  private key(index: number): string {
    return `key-${index}`;
  }

  private act(worker: Worker): Promise<void> {
    const { random } = this;
    const key = this.key(Math.floor(random() * this.options.keys));
    const dice = random();
    if (dice < 0.45) return worker.get(key, this.options.timeoutMs);
    if (dice < 0.85) return worker.put(key, this.options.timeoutMs);
    if (dice < 0.93) return worker.delete(key, this.options.timeoutMs);
    const others = [key, this.key(Math.floor(random() * this.options.keys))];
    return worker.batch([...new Set(others)], this.options.timeoutMs);
  }

  /** For calls one by one. */
  worker(clientId: string): Worker {
    return this.newWorker(clientId);
  }

  private newWorker(clientId: string): Worker {
    this.next += 1;
    return new Worker(
      this.world,
      clientId,
      `${clientId}.${this.next}`,
      this.options.partitionOf,
      () => (this.acknowledged += 1),
    );
  }
}

export class Worker {
  private op = 0;
  private values = 0;

  constructor(
    private readonly world: World,
    private readonly clientId: string,
    private readonly name: string,
    private readonly partitionOf: (key: string) => number,
    private readonly onAcknowledged: () => void,
  ) {}

  get(key: string, timeoutMs: number): Promise<void> {
    const op = this.invoke('get', key);
    return this.settle(
      this.keyspace.get(key, { timeoutMs }).then((found) => {
        const value = found && Buffer.from(found).toString();
        this.world.recorder.add({ type: 'ok', process: this.name, op, ...(value !== undefined && { value }) });
      }),
      [[this.name, op]],
      true,
    );
  }

  put(key: string, timeoutMs: number): Promise<void> {
    const value = this.newValue();
    const op = this.invoke('put', key, value);
    return this.write(this.keyspace.put(key, value, { timeoutMs }), op);
  }

  delete(key: string, timeoutMs: number): Promise<void> {
    const op = this.invoke('delete', key);
    return this.write(this.keyspace.delete(key, { timeoutMs }), op);
  }

  /** As so many calls at once, because each partition's part happens by itself. */
  batch(keys: readonly string[], timeoutMs: number): Promise<void> {
    const puts = keys.map((key, i) => {
      const value = this.newValue();
      const process = `${this.name}+${i}`;
      return { key, value, process, op: this.invoke('put', key, value, process) };
    });
    const names = puts.map(({ process, op }): [string, number] => [process, op]);
    const done = this.keyspace
      .batch(
        puts.map(({ key, value }) => ({ type: 'put' as const, key, value })),
        { timeoutMs },
      )
      .then(() => {
        for (const [process, op] of names) this.world.recorder.add({ type: 'ok', process, op });
        this.onAcknowledged();
      });
    return this.settle(done, names, false);
  }

  private write(call: Promise<{ epoch: number; seq: number }>, op: number): Promise<void> {
    const done = call.then(({ epoch, seq }) => {
      this.world.recorder.add({ type: 'ok', process: this.name, op, epoch, seq });
      this.onAcknowledged();
    });
    return this.settle(done, [[this.name, op]], false);
  }

  private settle(call: Promise<void>, names: readonly (readonly [string, number])[], isRead: boolean): Promise<void> {
    return call.catch((thrown: unknown) => {
      const error = CadastreError.from(thrown);
      const tried = error.info as TriedInfo | undefined;
      const harmless = isRead || (error.code === 'DEADLINE_EXCEEDED' && tried?.mayHaveHappened === false);
      if (error.code === 'INTERNAL' || error.code === 'INVALID_ARGUMENT')
        this.world.violation(`a client threw: ${String(error.stack)}`);
      for (const [process, op] of names)
        this.world.recorder.add({ type: harmless ? 'fail' : 'info', process, op, error: error.code });
    });
  }

  private invoke(call: 'get' | 'put' | 'delete', key: string, value?: string, process = this.name): number {
    this.op += 1;
    const partition = this.partitionOf(key);
    this.world.recorder.add({
      type: 'invoke',
      process,
      op: this.op,
      call,
      keyspace: KEYSPACE,
      partition,
      key,
      ...(value !== undefined && { value }),
    });
    return this.op;
  }

  private get keyspace() {
    return this.world.clients.get(this.clientId)!.client!.keyspace(KEYSPACE);
  }

  private newValue(): string {
    this.values += 1;
    return `${this.name}#${this.values}`;
  }
}

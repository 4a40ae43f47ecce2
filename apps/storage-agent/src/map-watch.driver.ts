import type { KeyspaceGeneration, KeyspaceMap } from '@cadastre/core';
import { CadastreError, compareGenerations, isKnown } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import { decodeDelta, encodeKnown, fromServiceError, KNOWN_FORMS, SnapshotAssembler } from '@cadastre/contracts';
import type { Cancellable, Clock, Logger, Random } from '@cadastre/runtime';
import { Backoff } from '@cadastre/runtime';
import type { ControlPlane } from './control-plane.js';
import type { MapFile } from './map-file.js';

/** A stream that says nothing for so long is taken for dead; progress comes while idle. */
const SILENCE_MS = 30_000;
const SAVE_DELAY_MS = 200;

/** `partitions` undefined = all may have changed; `map` undefined = the keyspace is gone. */
export type MapListener = (
  keyspace: string,
  map: KeyspaceMap | undefined,
  partitions: readonly number[] | undefined,
) => void;

export interface MapWatchOptions {
  readonly watcher: string;
  readonly controlPlane: ControlPlane;
  readonly file: MapFile;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly listener: MapListener;
  /** The first complete picture of this process is there. */
  readonly onSynced: () => void;
}

type Stream = ReturnType<Wire.MapClient['watchMap']>;

/** Keeps the maps of all keyspaces current, on disk too, so that an agent can start without a control plane. */
export class MapWatch {
  private readonly maps = new Map<string, KeyspaceMap>();
  private readonly unsaved = new Set<string>();
  private readonly backoff: Backoff;
  private stream: Stream | undefined;
  private silence: Cancellable | undefined;
  private saving: Promise<void> = Promise.resolve();
  private saveTimer: Cancellable | undefined;
  private stopped = false;
  private failures = 0;
  /** What is held and what comes do not fit: the next watch asks for whole maps. */
  private distrust = false;
  private keeping = false;
  synced = false;
  /** Empty until a control plane has told it. */
  clusterId = '';

  constructor(private readonly options: MapWatchOptions) {
    this.backoff = new Backoff({ initialMs: 50, maxMs: 2000 }, options.random);
  }

  get(keyspace: string): KeyspaceMap | undefined {
    return this.maps.get(keyspace);
  }

  all(): IterableIterator<KeyspaceMap> {
    return this.maps.values();
  }

  keyspaces(): IterableIterator<string> {
    return this.maps.keys();
  }

  applied(): KeyspaceGeneration[] {
    return [...this.maps.values()].map((map) => ({ keyspace: map.spec.name, generation: map.generation }));
  }

  /** @returns how many keyspaces were found on disk */
  async load(): Promise<number> {
    for (const map of await this.options.file.load()) this.maps.set(map.spec.name, map);
    for (const map of this.maps.values()) this.options.listener(map.spec.name, map, undefined);
    this.keeping = this.maps.size > 0;
    return this.maps.size;
  }

  /**
   * From now on maps are kept on disk. Not before the control plane has let this node in: a saved map vouches for the data beside it, and
   * empty data under an old name must not find one at its next start.
   */
  keep(): void {
    if (this.keeping) return;
    this.keeping = true;
    for (const keyspace of this.maps.keys()) this.saveSoon(keyspace);
  }

  connect(): void {
    if (this.stopped) return;
    const stream = this.options.controlPlane.next().map.watchMap();
    const assembler = new SnapshotAssembler();
    this.stream = stream;
    stream.on('data', (event: Wire.MapEvent__Output) => this.guard(stream, () => this.take(stream, assembler, event)));
    stream.on('error', (error) => this.lost(stream, error));
    stream.on('end', () => this.lost(stream, undefined));
    stream.write({
      subscribe: {
        watcher: this.options.watcher,
        known: this.distrust ? [] : encodeKnown(this.applied()),
        forms: [...KNOWN_FORMS],
      },
    });
    this.distrust = false;
    this.listenForSilence(stream);
  }

  /** Asks the next replica for the map as it is: when what is held may be old, only the register knows. */
  askAnew(): void {
    const { stream } = this;
    if (!stream || this.stopped) return; // it is being asked already
    this.stream = undefined;
    this.silence?.cancel();
    stream.cancel();
    this.connect();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.silence?.cancel();
    this.stream?.cancel();
    this.saveTimer?.cancel();
    this.save();
    await this.saving;
  }

  private listenForSilence(stream: Stream): void {
    this.silence?.cancel();
    this.silence = this.options.clock.after(
      SILENCE_MS,
      () =>
        this.guard(stream, () => {
          throw new CadastreError('UNAVAILABLE', `no word on the map for ${SILENCE_MS} ms`);
        }),
      { background: true },
    );
  }

  private guard(stream: Stream, task: () => void): void {
    if (stream !== this.stream) return;
    try {
      task();
    } catch (error) {
      this.lost(stream, error);
    }
  }

  private lost(stream: Stream, error: unknown): void {
    if (stream !== this.stream) return;
    this.stream = undefined;
    this.silence?.cancel();
    stream.cancel();
    if (this.stopped) return;
    const delayMs = this.backoff.nextMs();
    const cause = error && error instanceof Error && 'metadata' in error ? fromServiceError(error as never) : error;
    this.distrust =
      cause instanceof CadastreError && (cause.code === 'DATA_LOSS' || cause.code === 'FAILED_PRECONDITION');
    this.failures += 1;
    // The first failure is news, its repetition is not.
    const say = this.failures === 1 || this.failures % 60 === 0 ? 'warn' : 'debug';
    this.options.logger[say]('map watch lost', {
      event: 'map-watch-lost',
      delayMs,
      failures: this.failures,
      ...(cause !== undefined && { error: cause }),
    });
    this.options.clock.after(delayMs, () => this.connect(), { background: true });
  }

  private take(stream: Stream, assembler: SnapshotAssembler, event: Wire.MapEvent__Output): void {
    this.backoff.reset();
    this.failures = 0;
    this.listenForSilence(stream);
    if (event.snapshot) {
      const map = assembler.add(event.snapshot);
      if (map) this.replace(stream, map, undefined);
    } else if (event.delta) this.onDelta(stream, event.delta);
    else if (event.dropped) this.drop(event.dropped.keyspace);
    else if (event.progress) this.onProgress(event.progress.clusterId);
  }

  private onDelta(stream: Stream, wire: Wire.MapDelta__Output): void {
    const delta = decodeDelta(wire);
    const map = this.maps.get(delta.keyspace);
    if (!map) throw new CadastreError('FAILED_PRECONDITION', `delta of ${delta.keyspace}, whose map is not known`);
    if (isKnown(delta, map.generation)) return;
    this.replace(
      stream,
      map.withDelta(delta),
      delta.records.map((r) => r.partition),
    );
  }

  private replace(stream: Stream, map: KeyspaceMap, partitions: readonly number[] | undefined): void {
    const known = this.maps.get(map.spec.name);
    if (known && compareGenerations(map.generation, known.generation) < 0) return; // INV-2
    this.maps.set(map.spec.name, map);
    this.options.listener(map.spec.name, map, partitions);
    stream.write({ applied: { applied: encodeKnown([{ keyspace: map.spec.name, generation: map.generation }]) } });
    this.saveSoon(map.spec.name);
  }

  private drop(keyspace: string): void {
    if (!this.maps.delete(keyspace)) return;
    this.options.listener(keyspace, undefined, undefined);
    this.saveSoon(keyspace);
  }

  private onProgress(clusterId: string): void {
    this.clusterId = clusterId || this.clusterId;
    if (this.synced) return;
    this.synced = true;
    this.options.onSynced();
  }

  private saveSoon(keyspace: string): void {
    if (!this.keeping) return;
    this.unsaved.add(keyspace);
    this.saveTimer ??= this.options.clock.after(SAVE_DELAY_MS, () => this.save(), { background: true });
  }

  /** Resolves when the maps held now are on disk. @throws CadastreError UNAVAILABLE when one could not be written */
  async saved(): Promise<void> {
    this.saveTimer?.cancel();
    this.save();
    await this.saving;
    if (this.unsaved.size > 0)
      throw new CadastreError('UNAVAILABLE', `maps not saved: ${[...this.unsaved].join(', ')}`);
  }

  private save(): void {
    this.saveTimer = undefined;
    const names = [...this.unsaved];
    this.unsaved.clear();
    this.saving = this.saving.then(async () => {
      for (const name of names) await this.saveOne(name);
    });
  }

  private async saveOne(keyspace: string): Promise<void> {
    try {
      const map = this.maps.get(keyspace);
      await (map ? this.options.file.save(map) : this.options.file.drop(keyspace));
    } catch (error) {
      this.unsaved.add(keyspace);
      this.options.logger.warn('map could not be saved', { event: 'map-save-failed', keyspace, error });
    }
  }
}

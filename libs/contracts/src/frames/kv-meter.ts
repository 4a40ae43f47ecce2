import { CadastreError } from '@cadastre/core';
import type { Emit } from '@cadastre/runtime';
import { Histogram } from '@cadastre/runtime';
import type { KvKind, ReceivedOp } from './frames.codec.js';

interface KindFigures {
  ok: number;
  readonly failed: Map<string, number>;
  readonly tookSeconds: Histogram;
}

const figures = (): KindFigures => ({ ok: 0, failed: new Map(), tookSeconds: new Histogram() });

/** Requests of Kv by kind and outcome, and how long they took. One that is answered well costs two additions and a short search. */
export class KvMeter {
  private readonly kinds: Readonly<Record<KvKind, KindFigures>> = {
    get: figures(),
    put: figures(),
    delete: figures(),
    batch: figures(),
    scan: figures(),
  };

  /** A KvWitness. */
  readonly note = ({ kind }: Pick<ReceivedOp, 'kind'>, tookMs: number, error: unknown): void => {
    const of = this.kinds[kind];
    of.tookSeconds.observe(tookMs / 1000);
    if (error === undefined) of.ok += 1;
    else {
      const { code } = CadastreError.from(error);
      of.failed.set(code, (of.failed.get(code) ?? 0) + 1);
    }
  };

  /** By kind and code. */
  readonly requests = (emit: Emit): void => {
    for (const [kind, { ok, failed }] of Object.entries(this.kinds)) {
      emit(ok, kind, 'OK');
      for (const [code, count] of failed) emit(count, kind, code);
    }
  };

  /** By kind. */
  readonly durations = (emit: Emit): void => {
    for (const [kind, { tookSeconds }] of Object.entries(this.kinds)) emit(tookSeconds, kind);
  };
}

import type { Wire } from '@cadastre/contracts';
import { Histogram } from '@cadastre/runtime';

/** How far the readers of one keyspace are. Milliseconds are from this replica's sight of a change to a reader's having applied it. */
export interface Convergence {
  readonly keyspace: string;
  readonly generation: { readonly incarnation: number; readonly number: number };
  readonly watchers: number;
  /** Readers that reported the newest generation. */
  readonly converged: number;
  /** Of the last reports, at most 4,096. */
  readonly lagMs: { readonly n: number; readonly p50: number; readonly p99: number; readonly max: number };
}

/** As a message. */
export const convergenceView = ({ lagMs, ...of }: Convergence): Wire.KeyspaceConvergence => ({
  ...of,
  lagReports: lagMs.n,
  lagP50Ms: lagMs.p50,
  lagP99Ms: lagMs.p99,
  lagMaxMs: lagMs.max,
});

const KEPT = 4_096;

/** The last lags that readers reported; bounded. */
export class LagBook {
  /** All of them, in seconds. */
  readonly seconds = new Histogram();
  private lags = new Float64Array(64);
  private written = 0;

  add(lagMs: number): void {
    if (this.written === this.lags.length && this.lags.length < KEPT) {
      const wider = new Float64Array(this.lags.length * 4);
      wider.set(this.lags);
      this.lags = wider;
    }
    this.seconds.observe(Math.max(0, lagMs) / 1000);
    this.lags[this.written % this.lags.length] = Math.max(0, lagMs);
    this.written += 1;
  }

  summary(): Convergence['lagMs'] {
    const n = Math.min(this.written, this.lags.length);
    const sorted = this.lags.slice(0, n).sort();
    const at = (share: number) => sorted[Math.min(n - 1, Math.floor(n * share))] ?? 0;
    return { n, p50: at(0.5), p99: at(0.99), max: at(1) };
  }
}

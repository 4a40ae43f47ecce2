import type { MetricTable, Readings } from '@cadastre/runtime';
import { counter, gauge } from '@cadastre/runtime';

export const PROCESS_METRICS = {
  build: gauge('cadastre_build_info', '1; which program this is, and of which version', 'component', 'version', 'node'),
  certificateExpiry: gauge(
    'cadastre_certificate_expiry_timestamp_seconds',
    'until when a certificate in use is valid, in seconds since 1970',
    'use',
  ),
  logLines: counter('cadastre_log_lines_dropped_total', 'log lines that were above the rate that is written'),
} as const satisfies MetricTable;

export interface ProcessFacts {
  /** `control-plane`, `storage-agent`, `router`. */
  readonly component: string;
  readonly version: string;
  /** Certificates in use by what they are for, with the end of their time in milliseconds since 1970. */
  readonly certificates?: () => Iterable<readonly [use: string, notAfterMs: number]>;
  readonly droppedLogLines?: () => number;
}

export const processReadings = (facts: ProcessFacts): Readings<typeof PROCESS_METRICS> => ({
  build: (emit) => emit(1, facts.component, facts.version, process.version),
  certificateExpiry: (emit) => {
    for (const [use, notAfterMs] of facts.certificates?.() ?? []) emit(notAfterMs / 1000, use);
  },
  logLines: (emit) => emit(facts.droppedLogLines?.() ?? 0),
});

import type { StatsFs } from 'node:fs';
import { statfsSync } from 'node:fs';
import type { MetricTable, Readings } from '@cadastre/runtime';
import { counter, gauge } from '@cadastre/runtime';

export const PROCESS_METRICS = {
  build: gauge('cadastre_build_info', '1; which program this is, and of which version', 'component', 'version', 'node'),
  certificateExpiry: gauge(
    'cadastre_certificate_expiry_timestamp_seconds',
    'until when a certificate in use is valid, in seconds since 1970',
    'use',
  ),
  dataFree: gauge('cadastre_data_free_bytes', 'room on the disk of the data folder'),
  dataSize: gauge('cadastre_data_disk_bytes', 'size of that disk'),
  logLines: counter('cadastre_log_lines_dropped_total', 'log lines that were above the rate that is written'),
} as const satisfies MetricTable;

/** What a CredentialSource holds at present. */
export interface Certificates {
  readonly current: { readonly own?: { readonly notAfterMs: number } | undefined };
}

export interface ProcessFacts {
  /** `control-plane`, `storage-agent`, `router`. */
  readonly component: string;
  readonly version: string;
  /** By what they are for: whose certificates are followed. */
  readonly certificates?: Readonly<Record<string, Certificates | undefined>>;
  readonly dataDir?: string;
  readonly droppedLogLines?: () => number;
}

export const processReadings = (facts: ProcessFacts): Readings<typeof PROCESS_METRICS> => ({
  build: (emit) => emit(1, facts.component, facts.version, process.version),
  certificateExpiry: (emit) => {
    for (const [use, source] of Object.entries(facts.certificates ?? {}))
      if (source?.current.own) emit(source.current.own.notAfterMs / 1000, use);
  },
  dataFree: (emit) => onDisk(facts.dataDir, ({ bavail, bsize }) => emit(bavail * bsize)),
  dataSize: (emit) => onDisk(facts.dataDir, ({ blocks, bsize }) => emit(blocks * bsize)),
  logLines: (emit) => emit(facts.droppedLogLines?.() ?? 0),
});

/** One call to the kernel. A folder that is not there has no disk to speak of. */
const onDisk = (folder: string | undefined, say: (disk: StatsFs) => void): void => {
  if (folder === undefined) return;
  try {
    say(statfsSync(folder));
  } catch {
    return;
  }
};

import { readFileSync } from 'node:fs';
import { CadastreError } from '@cadastre/core';
import type { AppSettings, TlsSettings } from '@cadastre/service-kit';
import {
  CONTROL_PLANE_FLAG,
  hostPort,
  labelPair,
  listOf,
  LOG_LEVEL_FLAG,
  LOG_LEVELS,
  METRICS_FLAG,
  readConfig,
  TRACE_FLAG,
  traceUrl,
  TLS_FIELDS,
  TLS_FLAGS,
  tlsFilesOf,
} from '@cadastre/service-kit';
import { z } from 'zod';
import type { AgentConfig } from './agent-config.js';

const schema = z.strictObject({
  id: z.string(),
  data: z.string().min(1, 'names a directory'),
  listen: hostPort('it').default('127.0.0.1:0'),
  advertise: hostPort('it').optional(),
  controlPlane: listOf(hostPort('each')),
  health: hostPort('it').optional(),
  metricsListen: hostPort('it').optional(),
  traceOtlp: traceUrl.optional(),
  label: z.array(labelPair).default([]),
  labelFile: z.string().min(1, 'names a file').optional(),
  weight: z.coerce.number().positive('is above 0').default(1),
  capacity: z.array(z.string().regex(/^[a-z][a-z0-9-]*=\d+(\.\d+)?$/, 'is name=number')).default([]),
  inSyncTimeoutMs: z.coerce.number().int().min(200).max(600_000).default(3000),
  ...TLS_FIELDS,
  logLevel: z.enum(LOG_LEVELS).default('info'),
});

export const SETTINGS = {
  program: 'node apps/storage-agent/dist/main.js',
  envPrefix: 'CADASTRE_AGENT',
  schema,
  flags: {
    id: { type: 'string', value: 'NAME', help: 'name of the node; the data directory remembers it' },
    data: { type: 'string', value: 'FOLDER', help: 'where the data lies; one agent each' },
    listen: {
      type: 'string',
      value: 'HOST:PORT',
      help: 'where clients, other agents and control planes connect; port 0 takes any',
    },
    advertise: { type: 'string', value: 'HOST:PORT', help: 'at which others reach --listen' },
    'control-plane': CONTROL_PLANE_FLAG,
    health: {
      type: 'string',
      value: 'HOST:PORT',
      help: 'grpc.health.v1 alone, in plaintext, for probes; also on --listen',
    },
    'metrics-listen': METRICS_FLAG,
    'trace-otlp': TRACE_FLAG,
    label: {
      type: 'string',
      multiple: true,
      value: 'NAME=VALUE',
      help: 'where the node stands: region, zone, rack, host, any other',
    },
    'label-file': { type: 'string', value: 'FILE', help: 'one name=value a line, for what no --label says' },
    weight: { type: 'string', value: 'NUMBER', help: 'relative share of the data' },
    capacity: {
      type: 'string',
      multiple: true,
      value: 'NAME=NUMBER',
      help: 'most of bytes, or of a load, that it may be given',
    },
    'in-sync-timeout-ms': {
      type: 'string',
      value: 'MS',
      help: 'a follower that is silent for so long leaves the in-sync set',
    },
    ...TLS_FLAGS,
    'log-level': LOG_LEVEL_FLAG,
  },
} as const satisfies AppSettings;

export interface ProcessConfig extends AgentConfig {
  readonly logLevel: string;
  /** host:port of /metrics; nothing without it. */
  readonly metricsListen?: string;
  /** URL of a collector; nothing is recorded without it. */
  readonly traceOtlp?: string;
  readonly tls: TlsSettings;
}

const pairs = (flag: string, items: readonly string[]): Record<string, string> => {
  const result: Record<string, string> = {};
  for (const item of items) {
    const [name, value] = item.split('=') as [string, string];
    if (result[name] !== undefined && result[name] !== value) {
      throw new CadastreError('INVALID_ARGUMENT', `${flag}: ${name} is given as ${result[name]} and as ${value}`, {
        field: flag,
        remedy: 'give each name once',
      });
    }
    result[name] = value;
  }
  return result;
};

/** Written at start by what knows where this machine stands, as `node-labels.js` does on Kubernetes. */
const labelsOfFile = (path: string): Record<string, string> => {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new CadastreError('INVALID_ARGUMENT', `--label-file: ${path}: ${(error as NodeJS.ErrnoException).code}`, {
      field: '--label-file',
      remedy: 'give a file that can be read',
    });
  }
  const lines = text.split('\n').filter((line) => line !== '');
  const wrong = lines.find((line) => !labelPair.safeParse(line).success);
  if (wrong === undefined) return pairs('--label-file', lines);
  throw new CadastreError('INVALID_ARGUMENT', `--label-file: ${path}: ${JSON.stringify(wrong)} is not name=value`, {
    field: '--label-file',
    remedy: 'write one name=value a line',
  });
};

const portOf = (text: string): number => Number(text.slice(text.lastIndexOf(':') + 1));

/** @throws CadastreError INVALID_ARGUMENT with one line that names the flag */
export const agentConfig = (
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): ProcessConfig => {
  const raw = readConfig({ ...SETTINGS, argv, env });
  tlsFilesOf(raw);
  const host = raw.listen.slice(0, raw.listen.lastIndexOf(':'));
  if ((host === '0.0.0.0' || host === '[::]') && raw.advertise === undefined) {
    throw new CadastreError(
      'INVALID_ARGUMENT',
      `--advertise: is missing while --listen is ${raw.listen}, which nobody can connect to`,
      { field: '--advertise', remedy: 'give the host:port that other nodes and clients reach this one at' },
    );
  }
  return {
    id: raw.id,
    dataDir: raw.data,
    host,
    port: portOf(raw.listen),
    ...(raw.advertise !== undefined && { advertise: raw.advertise }),
    controlPlane: raw.controlPlane,
    labels: { ...(raw.labelFile !== undefined && labelsOfFile(raw.labelFile)), ...pairs('--label', raw.label) },
    weight: raw.weight,
    capacity: Object.fromEntries(Object.entries(pairs('--capacity', raw.capacity)).map(([k, v]) => [k, Number(v)])),
    ...(raw.health !== undefined && { health: raw.health }),
    ...(raw.metricsListen !== undefined && { metricsListen: raw.metricsListen }),
    ...(raw.traceOtlp !== undefined && { traceOtlp: raw.traceOtlp }),
    inSyncTimeoutMs: raw.inSyncTimeoutMs,
    tls: raw,
    logLevel: raw.logLevel,
  };
};

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
import type { RouterConfig } from './router.js';

const schema = z.strictObject({
  id: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'is 1 to 63 of a-z, 0-9 and -')
    .default('router'),
  listen: hostPort('it').default('127.0.0.1:0'),
  controlPlane: listOf(hostPort('each')),
  health: hostPort('it').optional(),
  metricsListen: hostPort('it').optional(),
  traceOtlp: traceUrl.optional(),
  cacheFile: z.string().min(1, 'names a file').optional(),
  label: z.array(labelPair).default([]),
  inFlightMax: z.coerce.number().int().min(1).max(1_000_000).default(20_000),
  ...TLS_FIELDS,
  logLevel: z.enum(LOG_LEVELS).default('info'),
});

export const SETTINGS = {
  program: 'node apps/router/dist/main.js',
  envPrefix: 'CADASTRE_ROUTER',
  schema,
  flags: {
    id: { type: 'string', value: 'NAME', help: 'what operators see of it in the list of watchers' },
    listen: { type: 'string', value: 'HOST:PORT', help: 'where programs connect; port 0 takes any' },
    'control-plane': CONTROL_PLANE_FLAG,
    health: {
      type: 'string',
      value: 'HOST:PORT',
      help: 'grpc.health.v1 alone, in plaintext, for probes; also on --listen',
    },
    'metrics-listen': METRICS_FLAG,
    'trace-otlp': TRACE_FLAG,
    'cache-file': {
      type: 'string',
      value: 'FILE',
      help: 'last map known to be good, to start from when no control plane answers',
    },
    label: { type: 'string', multiple: true, value: 'NAME=VALUE', help: 'where it stands, for reads from near copies' },
    'in-flight-max': { type: 'string', value: 'NUMBER', help: 'calls that it works on at once' },
    ...TLS_FLAGS,
    'log-level': LOG_LEVEL_FLAG,
  },
} as const satisfies AppSettings;

/** @throws CadastreError INVALID_ARGUMENT with one line that names the flag */
export const routerConfig = (
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): RouterConfig & {
  readonly logLevel: string;
  readonly metricsListen?: string;
  readonly traceOtlp?: string;
  readonly tls: TlsSettings;
} => {
  const raw = readConfig({ ...SETTINGS, argv, env });
  tlsFilesOf(raw);
  const colon = raw.listen.lastIndexOf(':');
  return {
    id: raw.id,
    host: raw.listen.slice(0, colon),
    port: Number(raw.listen.slice(colon + 1)),
    controlPlanes: raw.controlPlane,
    ...(raw.health !== undefined && { health: raw.health }),
    ...(raw.cacheFile !== undefined && { cacheFile: raw.cacheFile }),
    labels: Object.fromEntries(raw.label.map((pair) => pair.split('=') as [string, string])),
    inFlightMax: raw.inFlightMax,
    ...(raw.metricsListen !== undefined && { metricsListen: raw.metricsListen }),
    ...(raw.traceOtlp !== undefined && { traceOtlp: raw.traceOtlp }),
    tls: raw,
    logLevel: raw.logLevel,
  };
};

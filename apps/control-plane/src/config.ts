import { isNetwork } from './access/client-address.js';
import type { AppSettings } from '@cadastre/service-kit';
import { LOG_LEVELS, METRICS_FLAG, readConfig, TLS_FIELDS, TLS_FLAGS, tlsFilesOf } from '@cadastre/service-kit';
import { ETCD_DEFAULT_QUOTA_BYTES } from '@cadastre/store';
import { z } from 'zod';
import { ETCD_TLS_FIELDS, ETCD_TLS_FLAGS, etcdFilesOf } from './etcd-tls.js';

const hostPort = (what: string, lowest: 0 | 1) =>
  z.string().refine(
    (text) => {
      const match = /^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):([0-9]{1,5})$/.exec(text);
      return match !== null && Number(match[2]) >= lowest && Number(match[2]) <= 65_535;
    },
    `${what} must be host:port${lowest === 0 ? '; port 0 takes any free one' : ''}`,
  );

const endpoint = z.string().regex(/^(https?:\/\/)?[^\s/,]+:[0-9]{1,5}$/, 'an etcd endpoint must be http://host:port');

const duration = (lowest: number) =>
  z.coerce.number({ error: 'must be milliseconds' }).int().min(lowest, `must be at least ${lowest} ms`).max(86_400_000);

/** `open`: everybody may do all, on this machine only. `open-anywhere` says the same of the whole network. */
const ACCESS = ['open', 'open-anywhere', 'required'] as const;

const isLoopback = (address: string): boolean => /^(localhost|127\.|\[::1\])/.test(address);

const schema = z
  .object({
    id: z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'must be 1 to 63 of a-z, 0-9 and -'),
    grpc: hostPort('--grpc', 0).default('127.0.0.1:7400'),
    http: hostPort('--http', 0).default('127.0.0.1:7480'),
    etcd: z
      .array(z.string())
      .transform((list) => list.flatMap((item) => item.split(',')))
      .pipe(z.array(endpoint).min(1)),
    /** What its members were started with, to warn in time. */
    etcdQuotaBytes: z.coerce
      .number({ error: 'must be bytes' })
      .int()
      .min(1_048_576, 'must be at least 1 MiB')
      .default(ETCD_DEFAULT_QUOTA_BYTES),
    advertise: hostPort('--advertise', 1).optional(),
    advertiseHttp: hostPort('--advertise-http', 1).optional(),
    health: hostPort('--health', 0).optional(),
    metricsListen: hostPort('--metrics-listen', 0).optional(),
    access: z.enum(ACCESS, { error: `must be one of ${ACCESS.join(', ')}` }).default('open'),
    accessFile: z.string().min(1).optional(),
    /** In front of --http: who they say is behind them counts as the address of a sign-in. */
    trustedProxy: z
      .array(z.string().refine(isNetwork, 'a trusted proxy must be an address or a network such as 10.0.0.0/8'))
      .default([]),
    /** A file, or - for standard output: checkpoints of the audit log, every minute. */
    auditSink: z.string().min(1).optional(),
    ...TLS_FIELDS,
    ...ETCD_TLS_FIELDS,
    logLevel: z.enum(LOG_LEVELS, { error: `must be one of ${LOG_LEVELS.join(', ')}` }).default('info'),
    exitWithParent: z.boolean().default(false),
    startTimeoutMs: duration(100).default(30_000),
    sessionTtlMs: duration(1_000).default(10_000),
    electionTtlMs: duration(1_000).default(4_000),
    settleMs: duration(0).default(10_000),
    /** 0: no plan is proposed but by a person, and for lost copies as the settings say. */
    proposeAfterMs: duration(0).default(0),
    silenceMs: duration(500).default(5_000),
  })
  .strict()
  .superRefine((config, context) => {
    for (const [bind, advertise, flag] of [
      [config.grpc, config.advertise, 'advertise'],
      [config.http, config.advertiseHttp, 'advertiseHttp'],
    ] as const) {
      if (advertise !== undefined || !/^(0\.0\.0\.0|\[::\]):/.test(bind)) continue;
      context.addIssue({
        code: 'custom',
        path: [flag],
        message: `is needed with ${bind}: others cannot reach that address`,
      });
    }
    if (config.access === 'open' && !(isLoopback(config.grpc) && isLoopback(config.http))) {
      context.addIssue({
        code: 'custom',
        path: ['access'],
        message: 'open is for this machine alone: use --access required with --access-file, or --access open-anywhere',
      });
    }
    if ((config.access === 'required') !== (config.accessFile !== undefined)) {
      context.addIssue({
        code: 'custom',
        path: ['accessFile'],
        message: 'goes with --access required, and is needed there',
      });
    }
    if (config.grpc === config.http && !config.grpc.endsWith(':0')) {
      context.addIssue({ code: 'custom', path: ['http'], message: `${config.http} is the address of --grpc` });
    }
  });

export type ControlPlaneConfig = z.output<typeof schema>;
export type ControlPlaneSettings = z.input<typeof schema>;

/** Fills in what is not given. @throws ZodError, for callers in this process */
export const completeConfig = (settings: ControlPlaneSettings): ControlPlaneConfig => schema.parse(settings);

export const SETTINGS = {
  program: 'node apps/control-plane/dist/main.js',
  envPrefix: 'CADASTRE_CP',
  schema,
  flags: {
    id: { type: 'string', value: 'NAME', help: 'name of this replica, its own among all' },
    grpc: { type: 'string', value: 'HOST:PORT', help: 'where agents, clients and the command line connect' },
    http: { type: 'string', value: 'HOST:PORT', help: 'where the page, REST and the health URLs are' },
    etcd: { type: 'string', multiple: true, value: 'URL', help: 'members of the etcd cluster' },
    'etcd-quota-bytes': {
      type: 'string',
      value: 'BYTES',
      help: '--quota-backend-bytes of the members of etcd: at four fifths of it there is a warning',
    },
    advertise: { type: 'string', value: 'HOST:PORT', help: 'at which others reach --grpc' },
    'advertise-http': { type: 'string', value: 'HOST:PORT', help: 'at which others reach --http' },
    health: {
      type: 'string',
      value: 'HOST:PORT',
      help: 'grpc.health.v1 alone, in plaintext, for probes; also on --grpc',
    },
    'metrics-listen': METRICS_FLAG,
    access: {
      type: 'string',
      value: 'MODE',
      help: 'who may act: open is everybody of this machine, open-anywhere of the network, required asks for sign-in',
    },
    'audit-sink': {
      type: 'string',
      value: 'FILE',
      help: 'checkpoints of the audit log are appended here every minute; - for standard output',
    },
    'trusted-proxy': {
      type: 'string',
      multiple: true,
      value: 'ADDRESS',
      help: 'proxies, or their network, whose X-Forwarded-For says where a sign-in comes from',
    },
    'access-file': {
      type: 'string',
      value: 'FILE',
      help: 'how people and programs sign in; goes with --access required',
    },
    ...TLS_FLAGS,
    ...ETCD_TLS_FLAGS,
    'log-level': { type: 'string', value: 'LEVEL', help: 'least level that is logged' },
    'exit-with-parent': { type: 'boolean', help: 'ends when stdin closes' },
    'start-timeout-ms': { type: 'string', value: 'MS', help: 'how long a start waits for etcd' },
    'session-ttl-ms': { type: 'string', value: 'MS', help: 'lease of an agent that is not heard' },
    'election-ttl-ms': { type: 'string', value: 'MS', help: 'lease of the active controller' },
    'settle-ms': { type: 'string', value: 'MS', help: 'a new controller declares nobody dead for so long' },
    'propose-after-ms': {
      type: 'string',
      value: 'MS',
      help: 'a plan is proposed when what asks for it has been quiet for so long; 0 never',
    },
    'silence-ms': { type: 'string', value: 'MS', help: 'an agent that nobody can reach for so long is dead' },
  },
} as const satisfies AppSettings;

/** @throws CadastreError INVALID_ARGUMENT with one line that names the flag */
export const parseConfig = (
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): ControlPlaneConfig => {
  const config = readConfig({ ...SETTINGS, argv, env });
  tlsFilesOf(config);
  etcdFilesOf(config);
  return config;
};

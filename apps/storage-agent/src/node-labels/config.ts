import type { AppSettings } from '@cadastre/service-kit';
import { readConfig } from '@cadastre/service-kit';
import { z } from 'zod';

const PAIR = /^[a-z0-9]([a-z0-9./-]*[a-z0-9])?=[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?$/;

const schema = z.strictObject({
  node: z.string().regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/, 'is no name of a Kubernetes node'),
  out: z.string().min(1, 'names a file'),
  labelKey: z
    .array(z.string().regex(PAIR, 'is name=label-key'))
    .min(1)
    .default(['region=topology.kubernetes.io/region', 'zone=topology.kubernetes.io/zone']),
  api: z.url({ protocol: /^https$/, error: 'is an https URL' }).default('https://kubernetes.default.svc'),
  account: z.string().min(1, 'names a directory').default('/var/run/secrets/kubernetes.io/serviceaccount'),
  timeoutMs: z.coerce.number().int().min(100).max(600_000).default(30_000),
});

export const SETTINGS = {
  program: 'node apps/storage-agent/dist/node-labels/main.js',
  envPrefix: 'CADASTRE_NODE_LABELS',
  schema,
  flags: {
    node: { type: 'string', value: 'NAME', help: 'the Node object to read, from spec.nodeName' },
    out: { type: 'string', value: 'FILE', help: 'what --label-file of the agent reads' },
    'label-key': {
      type: 'string',
      multiple: true,
      value: 'NAME=KEY',
      help: 'label of the agent, and the label of the Node that gives it',
    },
    api: { type: 'string', value: 'URL', help: 'the Kubernetes API server' },
    account: { type: 'string', value: 'FOLDER', help: 'with token and ca.crt of the service account' },
    'timeout-ms': { type: 'string', value: 'MS', help: 'how long it tries' },
  },
} as const satisfies AppSettings;

export type NodeLabelsConfig = z.output<typeof schema>;

/** @throws CadastreError INVALID_ARGUMENT with one line that names the flag */
export const nodeLabelsConfig = (
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): NodeLabelsConfig => readConfig({ ...SETTINGS, argv, env });

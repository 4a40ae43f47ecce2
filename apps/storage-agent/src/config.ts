import { CadastreError } from '@cadastre/core';
import { LOG_LEVELS, readConfig } from '@cadastre/service-kit';
import { z } from 'zod';
import type { AgentConfig } from './agent-config.js';

const address = (field: string) =>
  z
    .string()
    .regex(/^(\[[0-9a-fA-F:]+\]|[^:\s,]+):\d{1,5}$/, `${field} is host:port`)
    .refine((text) => Number(text.slice(text.lastIndexOf(':') + 1)) <= 65_535, 'the port is at most 65535');

const label = z.string().regex(/^[a-z0-9]([a-z0-9./-]*[a-z0-9])?=[^=\s]{1,256}$/, 'is name=value');

const schema = z.strictObject({
  id: z.string(),
  data: z.string().min(1, 'names a directory'),
  listen: address('it').default('127.0.0.1:0'),
  advertise: address('it').optional(),
  controlPlane: z
    .array(z.string())
    .transform((items) => items.flatMap((item) => item.split(',')))
    .pipe(z.array(address('each')).min(1)),
  label: z.array(label).default([]),
  weight: z.coerce.number().positive('is above 0').default(1),
  capacity: z.array(z.string().regex(/^[a-z][a-z0-9-]*=\d+(\.\d+)?$/, 'is name=number')).default([]),
  inSyncTimeoutMs: z.coerce.number().int().min(200).max(600_000).default(3000),
  logLevel: z.enum(LOG_LEVELS).default('info'),
});

const FLAGS = {
  id: { type: 'string' },
  data: { type: 'string' },
  listen: { type: 'string' },
  advertise: { type: 'string' },
  'control-plane': { type: 'string', multiple: true },
  label: { type: 'string', multiple: true },
  weight: { type: 'string' },
  capacity: { type: 'string', multiple: true },
  'in-sync-timeout-ms': { type: 'string' },
  'log-level': { type: 'string' },
} as const;

export interface ProcessConfig extends AgentConfig {
  readonly logLevel: string;
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

const portOf = (text: string): number => Number(text.slice(text.lastIndexOf(':') + 1));

/** @throws CadastreError INVALID_ARGUMENT with one line that names the flag */
export const agentConfig = (
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): ProcessConfig => {
  const raw = readConfig({ flags: FLAGS, schema, envPrefix: 'CADASTRE_AGENT', argv, env });
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
    labels: pairs('--label', raw.label),
    weight: raw.weight,
    capacity: Object.fromEntries(Object.entries(pairs('--capacity', raw.capacity)).map(([k, v]) => [k, Number(v)])),
    inSyncTimeoutMs: raw.inSyncTimeoutMs,
    logLevel: raw.logLevel,
  };
};

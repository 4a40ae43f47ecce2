import { z } from 'zod';

/** Settings that several programs have, so that they take and say the same. */

/** HOST:PORT. @param what begins the sentence of the refusal */
export const hostPort = (what: string) =>
  z
    .string()
    .regex(/^(\[[0-9a-fA-F:]+\]|[^:\s,]+):\d{1,5}$/, `${what} is host:port`)
    .refine((text) => Number(text.slice(text.lastIndexOf(':') + 1)) <= 65_535, 'the port is at most 65535');

/** Given several times, or with commas, or both. */
export const listOf = <Item extends z.ZodType<unknown, string>>(item: Item) =>
  z
    .array(z.string())
    .transform((items) => items.flatMap((each) => each.split(',')))
    .pipe(z.array(item).min(1));

export const labelPair = z.string().regex(/^[a-z0-9]([a-z0-9./-]*[a-z0-9])?=[^=\s]{1,256}$/, 'is name=value');

export const CONTROL_PLANE_FLAG = {
  type: 'string',
  multiple: true,
  value: 'HOST:PORT',
  help: 'replicas of the control plane, some or all',
} as const;

export const LOG_LEVEL_FLAG = { type: 'string', value: 'LEVEL', help: 'least level that is logged' } as const;

export const METRICS_FLAG = {
  type: 'string',
  value: 'HOST:PORT',
  help: 'GET /metrics for Prometheus, in plaintext; port 0 takes any',
} as const;

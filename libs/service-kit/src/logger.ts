import type { Logger } from '@cadastre/runtime';
import winston from 'winston';

export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LoggerOptions {
  /** Name of the process in every line. */
  readonly service: string;
  /** Default `info`. An unknown level is taken for `info`: a typing error must not silence a service. */
  readonly level?: string;
  /** Added to every line, e.g. the node's id. */
  readonly fields?: Record<string, unknown>;
}

/** Errors have no enumerable fields, so JSON would print `{}`: their code, message and remedy are what operators need. */
const plain = (value: unknown): unknown => {
  if (!(value instanceof Error)) return value;
  const { name, message, stack } = value;
  const { code, field, remedy } = value as { code?: unknown; field?: unknown; remedy?: unknown };
  const known = code !== undefined;
  return {
    name,
    message,
    ...(known && { code }),
    ...(field !== undefined && { field }),
    ...(remedy !== undefined && { remedy }),
    ...(!known && { stack }),
  };
};

const plainFields = (fields: Record<string, unknown> | undefined): Record<string, unknown> =>
  fields === undefined ? {} : Object.fromEntries(Object.entries(fields).map(([k, v]) => [k, plain(v)]));

/** One JSON object a line on stdout: `{level, message, service, time, ...fields}`. */
export const createLogger = ({ service, level = 'info', fields = {} }: LoggerOptions): Logger => {
  const logger = winston.createLogger({
    level: (LOG_LEVELS as readonly string[]).includes(level) ? level : 'info',
    levels: { error: 0, warn: 1, info: 2, debug: 3 },
    defaultMeta: { service, ...fields },
    format: winston.format.combine(
      winston.format.timestamp({ alias: 'time' }),
      winston.format((info) => (delete info['timestamp'], info))(),
      winston.format.json(),
    ),
    transports: [new winston.transports.Console({ forceConsole: false, stderrLevels: [] })],
  });
  const at = (name: LogLevel) => (message: string, extra?: Record<string, unknown>) =>
    void logger.log(name, message, plainFields(extra));
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
};

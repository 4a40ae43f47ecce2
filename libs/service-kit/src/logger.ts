import type { Clock, Logger } from '@cadastre/runtime';
import { systemClock } from '@cadastre/runtime';
import winston from 'winston';
import { bounded, isWhole, LogBounds } from './log-bounds.js';

export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LoggerOptions {
  /** Name of the process in every line. */
  readonly service: string;
  /** Default `info`. An unknown level is taken for `info`: a typing error must not silence a service. */
  readonly level?: string;
  /** Added to every line, e.g. the node's id. */
  readonly fields?: Record<string, unknown>;
  /** Injected by tests, as the stream instead of stdout. */
  readonly clock?: Clock;
  readonly out?: NodeJS.WritableStream;
}

export interface BoundedLogger extends Logger {
  /** Lines that were above the rate and not written, since the start. */
  readonly dropped: number;
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
  fields === undefined
    ? {}
    : Object.fromEntries(
        Object.entries(fields).map(([k, v]) => [k, isWhole(fields['event']) ? plain(v) : bounded(plain(v))]),
      );

/**
 * One JSON object a line on stdout: `{level, message, service, time, ...fields}`. Long values are cut, and of too many lines some are left
 * out and counted, but never entries of the audit log and plans that leave the register.
 */
export const createLogger = ({
  service,
  level = 'info',
  fields = {},
  clock = systemClock,
  out,
}: LoggerOptions): BoundedLogger => {
  const logger = winston.createLogger({
    level: (LOG_LEVELS as readonly string[]).includes(level) ? level : 'info',
    levels: { error: 0, warn: 1, info: 2, debug: 3 },
    defaultMeta: { service, ...fields },
    format: winston.format.combine(
      winston.format.timestamp({ alias: 'time' }),
      winston.format((info) => (delete info['timestamp'], info))(),
      winston.format.json(),
    ),
    transports: [
      out
        ? new winston.transports.Stream({ stream: out })
        : new winston.transports.Console({ forceConsole: false, stderrLevels: [] }),
    ],
  });
  const bounds = new LogBounds(clock);
  const at = (name: LogLevel) => (message: string, extra?: Record<string, unknown>) => {
    if (!logger.isLevelEnabled(name)) return;
    if (!isWhole(extra?.['event'])) {
      if (!bounds.admit(name)) return;
      const lines = bounds.takeUntold();
      if (lines > 0) logger.log('warn', 'log lines were left out: too many at once', { event: 'log-dropped', lines });
    }
    logger.log(name, String(bounded(message)), plainFields(extra));
  };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    get dropped() {
      return bounds.dropped;
    },
  };
};

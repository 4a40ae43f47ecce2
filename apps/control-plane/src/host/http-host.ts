import 'reflect-metadata';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo, Server } from 'node:net';
import type { Server as TlsServer } from 'node:tls';
import { CadastreError } from '@cadastre/core';
import type { CredentialSource } from '@cadastre/contracts';
import type { Logger } from '@cadastre/runtime';
import type { LoggerService } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { identify } from '../access/identify.js';
import type { AppParts } from '../app.module.js';
import { appModule } from '../app.module.js';
import { refuseForeignPages, refuseLargeBodies, secureHeaders } from '../rest/guards.js';
import { loadPage } from '../rest/page.js';
import { ProblemFilter } from '../rest/problem.filter.js';
import { refuseRepeatedNames } from '../rest/repeated-names.js';

const BODY_BYTES_MAX = 1024 * 1024;

/** Nest's own words are for those who debug Nest. */
const nestLogger = (logger: Logger): LoggerService => ({
  log: () => undefined,
  error: (message: unknown) => logger.error(String(message)),
  warn: (message: unknown) => logger.warn(String(message)),
});

export interface HttpSurroundings {
  readonly onAnswered?: (method: string, status: number) => void;
  /** With them it is HTTPS. */
  readonly credentials?: CredentialSource;
}

export const createApp = async (
  parts: AppParts,
  isLoopback: boolean,
  logger: Logger,
  { onAnswered, credentials }: HttpSurroundings = {},
): Promise<NestExpressApplication> => {
  const app = await NestFactory.create<NestExpressApplication>(appModule(parts), {
    bodyParser: false,
    logger: nestLogger(logger),
    abortOnError: false,
    ...(credentials && { httpsOptions: httpsOptionsOf(credentials) }),
  });
  credentials?.onChange(() =>
    (app.getHttpServer() as unknown as TlsServer).setSecureContext(httpsOptionsOf(credentials)),
  );
  app.disable('x-powered-by');
  app.useGlobalFilters(new ProblemFilter(logger));
  if (onAnswered)
    app.use((request: IncomingMessage, response: ServerResponse, next: () => void) => {
      response.on('close', () => onAnswered(request.method ?? '', response.statusCode));
      next();
    });
  app.use(secureHeaders);
  app.use(refuseForeignPages(isLoopback));
  app.use(refuseLargeBodies(BODY_BYTES_MAX));
  app.use(await loadPage());
  app.use(identify(parts.identity));
  const verify = (_request: unknown, _response: unknown, body: Buffer): void => refuseRepeatedNames(body.toString());
  app.useBodyParser('json', { limit: BODY_BYTES_MAX, strict: true, verify });
  return app;
};

/** Nobody is asked for a certificate: people show a token or a session. */
const httpsOptionsOf = ({ current: { own } }: CredentialSource) => ({
  ...(own && { cert: own.cert, key: own.key }),
  minVersion: 'TLSv1.2' as const,
});

/** @returns the bound port. @throws CadastreError UNAVAILABLE when the port is taken */
export const listenHttp = async (app: NestExpressApplication, host: string, port: number): Promise<number> => {
  try {
    await app.listen(port, host);
  } catch (error) {
    throw new CadastreError('UNAVAILABLE', `cannot listen on ${host}:${port}: ${(error as Error).message}`, {
      field: '--http',
      remedy: 'free the port or choose another',
      cause: error,
    });
  }
  return ((app.getHttpServer() as Server).address() as AddressInfo).port;
};

import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CadastreError } from '@cadastre/core';
import type { Logger } from '@cadastre/runtime';
import type { Metrics } from './registry.js';

export interface MetricsEndpoint {
  /** host:port that it listens on. */
  readonly address: string;
  stop(): Promise<void>;
}

const HEADERS_MS = 5_000;
const CONNECTIONS_MAX = 32;

/**
 * GET /metrics and nothing else, in plaintext: it tells names of keyspaces and nodes and how much they do, never a key or a value. Who may
 * connect is for the network to say.
 * @param listen host:port, port 0 for any free one
 * @throws CadastreError UNAVAILABLE when the port is taken
 */
export const serveMetrics = async (listen: string, metrics: Metrics, logger: Logger): Promise<MetricsEndpoint> => {
  const colon = listen.lastIndexOf(':');
  const host = listen.slice(0, colon);
  const server = createServer({ headersTimeout: HEADERS_MS, requestTimeout: HEADERS_MS }, (request, response) =>
    answer(request, response, metrics, logger),
  );
  server.maxConnections = CONNECTIONS_MAX;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(taken(listen, error)));
    server.listen({ host: host.replace(/^\[|\]$/g, ''), port: Number(listen.slice(colon + 1)) }, resolve);
  });
  server.on('error', (error) =>
    logger.warn('the metrics endpoint is in trouble', { event: 'metrics-endpoint', error }),
  );
  return {
    address: `${host}:${(server.address() as AddressInfo).port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};

const answer = (request: IncomingMessage, response: ServerResponse, metrics: Metrics, logger: Logger): void => {
  const path = request.url?.split('?')[0];
  if (path !== '/metrics') return end(response, 404, 'GET /metrics\n');
  if (request.method !== 'GET' && request.method !== 'HEAD') return end(response, 405, 'GET /metrics\n');
  metrics.text().then(
    (text) => end(response, 200, text, metrics.contentType),
    (error: unknown) => {
      logger.error('metrics cannot be read', { event: 'metrics-failed', error });
      end(response, 500, 'metrics cannot be read; see the log\n');
    },
  );
};

const end = (response: ServerResponse, status: number, text: string, type = 'text/plain; charset=utf-8'): void => {
  response.writeHead(status, { 'content-type': type, 'x-content-type-options': 'nosniff' }).end(text);
};

const taken = (listen: string, error: Error): CadastreError =>
  new CadastreError('UNAVAILABLE', `cannot serve metrics on ${listen}: ${error.message}`, {
    field: '--metrics-listen',
    remedy: 'free the port or choose another',
    cause: error,
  });

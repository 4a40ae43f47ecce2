import type { IncomingMessage, ServerResponse } from 'node:http';
import { CadastreError, printable } from '@cadastre/core';

type Next = (error?: unknown) => void;
export type Middleware = (request: IncomingMessage, response: ServerResponse, next: Next) => void;

const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': [
    "default-src 'none'",
    ...['script', 'style', 'img', 'connect'].map((kind) => `${kind}-src 'self'`),
    ...['base-uri', 'form-action', 'frame-ancestors', 'trusted-types'].map((rule) => `${rule} 'none'`),
    "require-trusted-types-for 'script'",
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
};

export const secureHeaders: Middleware = (_request, response, next) => {
  for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
  next();
};

const LOOPBACK_HOST = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i;

const hostOf = (origin: string): string | undefined => {
  try {
    return new URL(origin).host;
  } catch {
    return undefined;
  }
};

/**
 * A page of another site can make a browser send requests here. It cannot send JSON without asking first, which nobody here answers,
 * and its requests name it as their origin. A name that was rebound to this machine shows as a foreign Host.
 */
export const refuseForeignPages =
  (isLoopback: boolean): Middleware =>
  (request, _response, next) => {
    const { host = '', origin } = request.headers;
    if (isLoopback && !LOOPBACK_HOST.test(host))
      return next(refused(`host "${printable(host)}" is not this machine`, 'host', 'use localhost or 127.0.0.1'));
    if (request.method === 'GET' || request.method === 'HEAD') return next();
    if (origin !== undefined && hostOf(origin) !== host)
      return next(
        refused(
          `a page of ${printable(origin)} may not act here`,
          'origin',
          'act from the page that this server gives',
        ),
      );
    if (!/^application\/json(;|$)/i.test(request.headers['content-type'] ?? '')) {
      return next(Object.assign(new Error('the body must be application/json'), { status: 415 }));
    }
    return next();
  };

/** Before a byte of it is read: whoever announces a gigabyte is not waited for. */
export const refuseLargeBodies =
  (bytesMax: number): Middleware =>
  (request, response, next) => {
    if (Number(request.headers['content-length'] ?? 0) <= bytesMax) return next();
    response.setHeader('connection', 'close');
    return next(Object.assign(new Error(`the body has more than ${bytesMax} bytes`), { status: 413 }));
  };

const refused = (what: string, field: string, remedy: string): CadastreError =>
  new CadastreError('PERMISSION_DENIED', what, { field, remedy });

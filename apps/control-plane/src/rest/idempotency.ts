import type { ServerResponse } from 'node:http';
import { CadastreError, invalid } from '@cadastre/core';
import { type Clock, sha256Hex } from '@cadastre/runtime';
import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import { Inject } from '@nestjs/common';
import { from, lastValueFrom, type Observable } from 'rxjs';
import type { IdentifiedRequest } from '../access/identify.js';
import { CLOCK } from './tokens.js';

interface Kept {
  readonly asked: string;
  readonly at: number;
  readonly answer: Promise<{ readonly status: number; readonly etag: string | undefined; readonly body: unknown }>;
}

const KEYS_MAX = 2_000;
const KEPT_MS = 10 * 60_000;
const KEY = /^[\x21-\x7e]{1,128}$/;

/**
 * A change that is sent again with the same `Idempotency-Key`, by the same caller to the same replica within ten minutes, is done once and
 * answered twice. Another replica does not know the key: there the register itself refuses the second, since each change compares what it
 * was decided on. A change that failed is forgotten, so that it can be tried again, unless its outcome is not known.
 */
export class Idempotency implements NestInterceptor {
  private readonly kept = new Map<string, Kept>();

  constructor(@Inject(CLOCK) private readonly clock: Clock) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const http = context.switchToHttp();
    const request = http.getRequest<IdentifiedRequest & { body?: unknown }>();
    const key = request.headers['idempotency-key'];
    if (key === undefined || request.method === 'GET' || request.method === 'HEAD') return next.handle();
    if (typeof key !== 'string' || !KEY.test(key))
      throw invalid('Idempotency-Key', 'is no key', 'use a UUID', '1 to 128 visible characters');
    return from(this.once(key, request, http.getResponse<ServerResponse>(), next));
  }

  private async once(
    key: string,
    request: IdentifiedRequest & { body?: unknown },
    response: ServerResponse,
    next: CallHandler,
  ): Promise<unknown> {
    const who = request.caller?.principal.subject ?? '';
    const asked = sha256Hex(JSON.stringify([request.method, request.url, request.body]));
    const id = JSON.stringify([who, key]);
    const known = this.known(id);
    if (known && known.asked !== asked)
      throw new CadastreError('ALREADY_EXISTS', 'this Idempotency-Key was sent with another request', {
        field: 'Idempotency-Key',
        remedy: 'use a new key for each change',
      });
    const answer = known?.answer ?? this.begin(id, asked, response, next);
    const { status, etag, body } = await answer;
    response.statusCode = status;
    if (etag !== undefined) response.setHeader('etag', etag);
    if (known) response.setHeader('idempotency-replayed', 'true');
    return body;
  }

  private begin(id: string, asked: string, response: ServerResponse, next: CallHandler): Kept['answer'] {
    const answer = lastValueFrom(next.handle(), { defaultValue: undefined }).then((body: unknown) => ({
      status: response.statusCode,
      etag: response.getHeader('etag')?.toString(),
      body,
    }));
    this.kept.set(id, { asked, at: this.clock.monotonicMs(), answer });
    answer.catch((error) => {
      if (CadastreError.from(error).code !== 'UNKNOWN_OUTCOME') this.kept.delete(id);
    });
    return answer;
  }

  /** Oldest first in the map, so what is over is at its beginning. */
  private known(id: string): Kept | undefined {
    const oldest = this.clock.monotonicMs() - KEPT_MS;
    for (const [each, { at }] of this.kept) {
      if (at > oldest && this.kept.size < KEYS_MAX) break;
      this.kept.delete(each);
    }
    return this.kept.get(id);
  }
}

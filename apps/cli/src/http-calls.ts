import { CadastreError, ERROR_CODES, invalid } from '@cadastre/core';
import { findClusterFolder, readClusterFile, splitAddresses } from './cluster-file.js';
import type { TlsFiles } from '@cadastre/contracts';
import { askHttp } from './ask-http.js';
import type { Io } from './io.js';

const DEADLINE_MS = 10_000;

/** Where REST is: --http, CADASTRE_HTTP, the cluster of this folder, in that order. @throws CadastreError */
export const resolveHttp = (io: Io, given: string | undefined, tls: boolean): string[] => {
  const named = given ?? io.env['CADASTRE_HTTP'];
  if (named)
    return named
      .split(',')
      .map((text) => (URL.canParse(text) && /^https?:/.test(text) ? text.replace(/\/$/, '') : withScheme(text, tls)));
  const folder = findClusterFolder(io.cwd);
  const cluster = folder && readClusterFile(folder);
  if (cluster) return cluster.controlPlanes.map((c) => `${cluster.tls ? 'https' : 'http'}://${c.http}`);
  throw new CadastreError('FAILED_PRECONDITION', 'no cluster is known here', {
    field: 'http',
    remedy: 'give --http https://HOST:PORT of a control plane, or set CADASTRE_HTTP',
  });
};

const withScheme = (text: string, tls: boolean): string =>
  `${tls ? 'https' : 'http'}://${splitAddresses('--http', text)[0]!}`;

const isLocal = (url: string): boolean => /^(localhost|127\.|\[::1\])/.test(new URL(url).host);

/** REST for what gRPC does not have: signing in, and who may. */
export class HttpCalls {
  constructor(
    private readonly urls: readonly string[],
    private readonly token: string | undefined,
    private readonly tls?: TlsFiles,
  ) {}

  /** Asks the next replica where one does not answer: all of these may be done twice. @throws CadastreError as the server said it */
  async call<Reply>(method: string, path: string, body?: unknown): Promise<Reply> {
    let last: unknown;
    for (const url of this.urls) {
      if (!url.startsWith('https:') && !isLocal(url))
        throw invalid('--http', `${url} would carry a password in the clear`, 'use https');
      try {
        return await this.ask<Reply>(url, method, path, body);
      } catch (error) {
        if (error instanceof CadastreError) throw error; // else nobody answered
        last = error;
      }
    }
    throw new CadastreError('UNAVAILABLE', `no control plane answers at ${this.urls.join(', ')}`, {
      field: 'http',
      remedy: 'check that the cluster is up, or give --http',
      cause: last,
    });
  }

  private async ask<Reply>(url: string, method: string, path: string, body: unknown): Promise<Reply> {
    const reply = await askHttp(url + path, {
      method,
      timeoutMs: DEADLINE_MS,
      tls: this.tls,
      headers: {
        // Of every change, also one without a body: what has another type may come from a page of another site and is refused.
        ...(method !== 'GET' && { 'content-type': 'application/json' }),
        ...(this.token !== undefined && { authorization: `Bearer ${this.token}` }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const json = JSON.parse(reply.text) as Record<string, unknown>;
    if (!reply.ok) throw problemError(json);
    return json as Reply;
  }
}

const problemError = (json: Record<string, unknown>): CadastreError => {
  const text = (name: string): string | undefined => (typeof json[name] === 'string' ? json[name] : undefined);
  const code = ERROR_CODES.find((each) => each === json['code']) ?? 'INTERNAL';
  const [field, limit, remedy] = [text('field'), text('limit'), text('remedy')];
  return new CadastreError(code, text('detail') ?? 'the server gave no reason', {
    ...(field && { field }),
    ...(limit && { limit }),
    ...(remedy && { remedy }),
  });
};

import { readFileSync } from 'node:fs';
import type { IncomingMessage, RequestOptions } from 'node:http';
import { request as requestPlain } from 'node:http';
import { request as requestSecured } from 'node:https';
import type { TlsFiles } from '@cadastre/contracts';

export interface HttpQuestion {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly timeoutMs: number;
  /** Who is believed, and what is shown; by default the authorities of node. */
  readonly tls?: TlsFiles | undefined;
}

export interface HttpAnswer {
  readonly ok: boolean;
  readonly text: string;
}

const BYTES_MAX = 64 * 1024 * 1024;

/** One HTTP request, by certificates of one's own where there are some, which `fetch` cannot be told. @throws Error when nobody answers */
export const askHttp = (url: string, question: HttpQuestion): Promise<HttpAnswer> =>
  new Promise((resolve, reject) => {
    const { method = 'GET', headers = {}, body, timeoutMs, tls } = question;
    const options: RequestOptions = { method, headers, signal: AbortSignal.timeout(timeoutMs), agent: false };
    const onReply = (reply: IncomingMessage) => collect(reply).then(resolve, reject);
    const request = url.startsWith('https:')
      ? requestSecured(url, { ...options, ...(tls && pemOf(tls)) }, onReply)
      : requestPlain(url, options, onReply);
    request.on('error', reject);
    request.end(body);
  });

const pemOf = ({ ca, cert, key }: TlsFiles) => ({
  ca: readFileSync(ca),
  ...(cert !== undefined && { cert: readFileSync(cert), key: readFileSync(key) }),
});

const collect = async (reply: IncomingMessage): Promise<HttpAnswer> => {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of reply as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BYTES_MAX) throw new Error(`the answer has more than ${BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  const status = reply.statusCode ?? 0;
  return { ok: status >= 200 && status < 300, text: Buffer.concat(chunks).toString('utf8') };
};

import { readdir, readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Middleware } from './guards.js';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};
const YEAR_S = 31_536_000;

interface PageFile {
  readonly type: string;
  readonly body: Buffer;
  readonly zipped: Buffer;
  /** The name of what lies in assets holds a hash of its content: it never changes. */
  readonly isForever: boolean;
}

/** Where the build puts the dashboard; the same from the sources and from the compiled code. */
const FOLDER = new URL('../../dist/page/', import.meta.url);

/** The built dashboard, read once. @throws Error when it has not been built */
export const loadPage = async (): Promise<Middleware> => {
  const files = await readAll();
  return (request, response, next) => {
    const found =
      request.method === 'GET' || request.method === 'HEAD' ? files.get((request.url ?? '').split('?')[0]!) : undefined;
    if (!found) return next();
    const takesZipped = /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''));
    response.setHeader('content-type', found.type);
    response.setHeader('vary', 'accept-encoding');
    response.setHeader('cache-control', found.isForever ? `public, max-age=${YEAR_S}, immutable` : 'no-cache');
    if (takesZipped) response.setHeader('content-encoding', 'gzip');
    response.end(takesZipped ? found.zipped : found.body);
  };
};

const readAll = async (): Promise<Map<string, PageFile>> => {
  const files = new Map<string, PageFile>();
  for (const name of await names()) {
    const type = TYPES[extname(name)];
    if (!type) continue;
    const body = await readFile(new URL(name, FOLDER));
    const zipped = await promisify(gzip)(body);
    const file = { type, body, zipped, isForever: name.startsWith('assets/') };
    files.set(name === 'index.html' ? '/' : `/${name}`, file);
  }
  return files;
};

const names = async (): Promise<string[]> => {
  try {
    return (await readdir(FOLDER, { recursive: true })).map((name) => name.replaceAll('\\', '/')).sort();
  } catch (error) {
    throw new Error(`the dashboard is not built: ${fileURLToPath(FOLDER)} is missing; run npm run build`, {
      cause: error,
    });
  }
};

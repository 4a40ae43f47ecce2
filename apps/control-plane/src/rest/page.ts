import { readFile } from 'node:fs/promises';
import type { Middleware } from './guards.js';

const FILES = [
  { path: '/', file: 'index.html', type: 'text/html; charset=utf-8' },
  { path: '/app.js', file: 'app.js', type: 'text/javascript; charset=utf-8' },
  { path: '/render.js', file: 'render.js', type: 'text/javascript; charset=utf-8' },
  { path: '/plan.js', file: 'plan.js', type: 'text/javascript; charset=utf-8' },
  { path: '/dom.js', file: 'dom.js', type: 'text/javascript; charset=utf-8' },
  { path: '/style.css', file: 'style.css', type: 'text/css; charset=utf-8' },
  { path: '/favicon.svg', file: 'favicon.svg', type: 'image/svg+xml' },
] as const;

/** The page's few files, read once: `page` lies beside the compiled code and beside the sources. */
export const loadPage = async (): Promise<Middleware> => {
  const folder = new URL('../page/', import.meta.url);
  const bodies = new Map<string, { readonly type: string; readonly body: Buffer }>();
  for (const { path, file, type } of FILES) bodies.set(path, { type, body: await readFile(new URL(file, folder)) });
  return (request, response, next) => {
    const found =
      request.method === 'GET' || request.method === 'HEAD'
        ? bodies.get((request.url ?? '').split('?')[0]!)
        : undefined;
    if (!found) return next();
    response.setHeader('content-type', found.type);
    response.setHeader('cache-control', 'no-cache');
    response.end(found.body);
  };
};

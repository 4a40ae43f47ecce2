// Lets a child process of a test run TypeScript sources as they are: `node --import ./ts-hooks.mjs file.ts`.
import { existsSync, readFileSync } from 'node:fs';
import { register } from 'node:module';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';

const SWC = { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'es6' } };
const libs = new URL('../../../', import.meta.url);

if (isMainThread) register(import.meta.url);

export const resolve = (specifier, context, next) => {
  const own = /^@cadastre\/([a-z-]+)$/.exec(specifier);
  if (own) return { url: new URL(`${own[1]}/src/index.ts`, libs).href, shortCircuit: true };
  if (specifier.startsWith('.') && specifier.endsWith('.js')) {
    const url = new URL(specifier.replace(/\.js$/, '.ts'), context.parentURL);
    if (existsSync(fileURLToPath(url))) return { url: url.href, shortCircuit: true };
  }
  return next(specifier, context);
};

export const load = async (url, context, next) => {
  if (!url.endsWith('.ts')) return next(url, context);
  const { transformSync } = await import('@swc/core');
  return {
    format: 'module',
    source: transformSync(readFileSync(fileURLToPath(url), 'utf8'), SWC).code,
    shortCircuit: true,
  };
};

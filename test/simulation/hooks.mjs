// Lets a process of the simulation (or a bench) run the TypeScript sources as they are: `node --import ./hooks.mjs file.ts`. A planted bug
// (CADASTRE_PLANT) is a change of one source made here, so that nothing of it can be in what is built.
import { existsSync, readFileSync } from 'node:fs';
import { register } from 'node:module';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';

const root = new URL('../../', import.meta.url);
const SWC = {
  jsc: {
    target: 'es2022',
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: false },
  },
  module: { type: 'es6' },
  sourceMaps: 'inline',
};
const APPS = ['control-plane', 'storage-agent', 'cli'];
const HERE = new URL('./', import.meta.url).href;

if (isMainThread)
  register(import.meta.url, {
    data: { plant: process.env['CADASTRE_PLANT'] ?? '' },
  });

let patches = [];

export const initialize = async ({ plant }) => {
  if (!plant) return;
  const { PLANTS } = await import('./plants.mjs');
  const found = PLANTS.find((p) => p.name === plant);
  if (!found) throw new Error(`no planted bug is called ${plant}`);
  patches = found.patches.map((p) => ({ ...p, url: new URL(p.file, root).href }));
};

export const resolve = (specifier, context, next) => {
  const own = /^@cadastre\/([a-z-]+)$/.exec(specifier);
  if (own) {
    const group = APPS.includes(own[1]) ? 'apps' : 'libs';
    return { url: new URL(`${group}/${own[1]}/src/index.ts`, root).href, shortCircuit: true };
  }
  if (specifier.startsWith('.') && specifier.endsWith('.js') && context.parentURL?.startsWith(root.href)) {
    const url = new URL(specifier.replace(/\.js$/, '.ts'), context.parentURL);
    if (existsSync(fileURLToPath(url))) return { url: url.href, shortCircuit: true };
  }
  return next(specifier, context);
};

export const load = async (url, context, next) => {
  if (!url.endsWith('.ts') || (!url.startsWith(root.href) && !url.startsWith(HERE))) return next(url, context);
  const { transformSync } = await import('@swc/core');
  let text = readFileSync(fileURLToPath(url), 'utf8');
  for (const patch of patches) if (patch.url === url) text = apply(text, patch);
  return {
    format: 'module',
    source: transformSync(text, { ...SWC, filename: fileURLToPath(url) }).code,
    shortCircuit: true,
  };
};

/** A plant that no longer fits the source is an error: else its test would prove nothing. */
const apply = (text, { file, from, to }) => {
  if (text.split(from).length !== 2) throw new Error(`planted bug: ${file} does not have exactly once: ${from}`);
  return text.replace(from, () => to);
};

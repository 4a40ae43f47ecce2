/**
 * The rules of who may import what, as data. Every rule has the reason that is printed with a violation, so that
 * the reader can judge whether the code or the rule is wrong.
 */

/** Rank of each library; an import must go to a lower rank. Libraries of one rank do not know each other. */
export const ranks = {
  core: 0,
  runtime: 1,
  certificates: 1,
  contracts: 2,
  store: 3,
  engine: 3,
  client: 3,
  'service-kit': 4,
  testkit: 5,
};

export const layerReason =
  'imports run downward only (core < runtime, certificates < contracts < store, engine, client < service-kit < testkit < apps), so that a lower part can be read, tested and published without a higher one';
export const appReason = 'an app is hosted alone: what two apps share belongs in a library';
export const testkitReason = 'testkit is for tests only: it must not become part of what runs in production';
export const testingReason = 'src/testing is for specs only: it must not become part of what runs in production';
export const indexReason =
  'a package is entered by its name, through its index: all else is its own business and may change';
export const declaredReason =
  'a package must declare what it imports; else it works only by luck of hoisting, and breaks when published';
export const cycleReason =
  'files of a cycle can only be understood together, and what is initialised first depends on who is imported first';
export const syntaxReason = 'what cannot be parsed cannot be checked';

/** Code for browsers that is bundled: what it imports is built in, so it may be a devDependency; it has a browser's clock and globals. */
export const bundled = ['apps/dashboard'];

/** Third-party packages with one door: `packages` may be imported only by files whose path starts with one of `from`. */
export const doors = [
  {
    packages: ['etcd3'],
    from: ['libs/store/src/etcd/'],
    reason: 'etcd has one door, so that exchanging its client touches one folder',
  },
  {
    packages: ['@grpc/*', 'protobufjs'],
    from: ['libs/contracts/src/'],
    reason: 'the wire has one door: others use the codecs and channels of @cadastre/contracts',
  },
  {
    packages: ['lmdb'],
    from: ['libs/engine/src/'],
    reason: 'the embedded database has one door, behind the engine interface',
  },
  {
    packages: ['@peculiar/*'],
    from: ['libs/certificates/src/'],
    reason: 'what issues certificates has one door; reading and checking them is node:crypto',
  },
  {
    packages: ['winston'],
    from: ['libs/service-kit/src/'],
    reason: 'logging has one door: others take the Logger of @cadastre/runtime',
  },
  {
    packages: ['prom-client', '@opentelemetry/*'],
    from: ['libs/service-kit/src/'],
    reason: 'figures and traces have one door: others count in plain numbers and take the Tracer of @cadastre/runtime',
  },
  {
    packages: ['@nestjs/*', 'reflect-metadata', 'rxjs', 'express'],
    from: ['apps/control-plane/src/'],
    reason: 'NestJS wires and hosts the control plane; it contains no decision, and libraries stay free of it',
  },
  {
    packages: ['commander', 'csv-parse'],
    from: ['apps/cli/src/'],
    reason: 'reading a command line is the business of the CLI',
  },
  {
    packages: ['zod'],
    from: ['libs/service-kit/src/', 'apps/'],
    reason: 'input is checked at the edge; inside, types say what is valid',
  },
  {
    packages: ['preact', '@preact/*', 'uplot'],
    from: ['apps/dashboard/src/'],
    reason: 'only the dashboard draws pages',
  },
  {
    packages: ['vite', 'axe-core', 'typescript', '@swc/*', 'playwright-core', 'oxlint', 'oxfmt'],
    from: [],
    reason: 'tools of development are no part of what runs',
  },
  {
    packages: ['jest', '@jest/globals', 'fast-check'],
    from: ['libs/testkit/src/'],
    reason: 'test libraries belong in *.spec.ts, src/testing and the testkit',
  },
];

/** Packages that any spec may import besides what its package declares. */
export const testPackages = ['@jest/globals', 'fast-check', 'jest'];

const clockDoors = { folders: ['libs/runtime/src/', 'libs/testkit/src/'], appFiles: ['main.ts', 'config.ts'] };
const timeReason =
  'time is an argument: take it from the Clock and Scheduler of @cadastre/runtime, or simulations and tests cannot turn it';
const randomReason = 'randomness comes from a seeded generator that is passed in, or a run cannot be repeated';
const environmentReason =
  'settings are read once, in main.ts or config.ts, checked and passed down; elsewhere nobody would find them';

/** Globals with a door: `name` is an identifier or `object.property`; `new Date()` stands for one without arguments. */
export const globals = [
  ...['Date.now', 'new Date()', 'performance.now', 'process.hrtime', 'setTimeout', 'setInterval'].map((name) => ({
    name,
    reason: timeReason,
    ...clockDoors,
  })),
  { name: 'Math.random', reason: randomReason, ...clockDoors },
  { name: 'process.env', reason: environmentReason, ...clockDoors },
];

/** Modules that are those same globals under another name. */
export const clockModules = [
  { names: ['timers', 'timers/promises', 'perf_hooks'], reason: timeReason, ...clockDoors },
  { names: ['process'], reason: environmentReason, ...clockDoors },
];

export const coreReason =
  'libs/core is pure: it decides from its arguments alone, so that simulation runs the very code that production runs';

/** Globals that reach outside: none of them in libs/core, besides those above. */
export const impureGlobals = [
  'process',
  'Buffer',
  'console',
  'require',
  'module',
  '__dirname',
  'fetch',
  'crypto',
  'performance',
  'navigator',
  'WebSocket',
  'setImmediate',
  'clearTimeout',
  'clearInterval',
  'queueMicrotask',
  'AbortSignal',
  'globalThis',
  'global',
  'eval',
  'Function',
];

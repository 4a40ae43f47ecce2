// Tests run straight from the TypeScript sources: a package name resolves to its src, so that no build is needed to test one file.
const swc = {
  jsc: {
    target: 'es2022',
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: false },
  },
  module: { type: 'es6' },
  sourceMaps: 'inline',
};
const common = {
  rootDir: import.meta.dirname,
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '^.+\\.ts$': ['@swc/jest', swc] },
  moduleNameMapper: {
    '^@cadastre/(core|runtime|certificates|contracts|store|engine|client|service-kit|testkit)$':
      '<rootDir>/libs/$1/src/index.ts',
    '^@cadastre/(control-plane|storage-agent|router|cli)$': '<rootDir>/apps/$1/src/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  testPathIgnorePatterns: ['/node_modules/', '/dist/'],
  modulePathIgnorePatterns: ['/dist/'],
};
export default {
  // Two busy cores stretch what takes a second into many; a test that hangs is still ended.
  testTimeout: 30_000,
  projects: [
    {
      ...common,
      displayName: 'unit',
      testMatch: [
        '<rootDir>/libs/**/src/**/*.spec.ts',
        '<rootDir>/apps/**/src/**/*.spec.ts',
        '<rootDir>/tools/**/*.spec.ts',
      ],
    },
    { ...common, displayName: 'real', testMatch: ['<rootDir>/test/**/*.spec.ts'] },
  ],
};

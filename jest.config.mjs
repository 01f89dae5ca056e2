// Two projects: `unit` needs nothing but Node; `real` drives real Docker, nginx and Redis (see scripts/test).
const shared = {
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': ['@swc/jest', { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'es6' } }],
  },
  moduleNameMapper: {
    '^@reactor/([a-z]+)$': '<rootDir>/packages/$1/src/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  testEnvironment: 'node',
  modulePathIgnorePatterns: ['/dist/', '/.cache/'],
};

export default {
  // No test measures time by it: it only ends what hangs, also on a machine that is busy.
  testTimeout: 60_000,
  projects: [
    {
      ...shared,
      displayName: 'unit',
      testMatch: ['<rootDir>/packages/*/test/**/*.test.ts', '<rootDir>/test/**/*.test.ts'],
      testPathIgnorePatterns: ['/node_modules/', '\\.real\\.test\\.ts$'],
      setupFilesAfterEnv: ['<rootDir>/test/property-seed.ts'],
    },
    {
      ...shared,
      displayName: 'real',
      testMatch: ['<rootDir>/packages/*/test/**/*.real.test.ts', '<rootDir>/test/**/*.real.test.ts'],
      setupFilesAfterEnv: ['<rootDir>/test/after-each-file.ts'],
    },
  ],
};

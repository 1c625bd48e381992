import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Patch workers are separate threads, which load the built library; so the tests of whole features use it too.
    globalSetup: ['test/fixtures/build-library.ts'],
    pool: 'forks',
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Vitest's own second is what a busy machine may miss.
    expect: { poll: { timeout: 20_000 } },
  },
});

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // Of a hang, not of a busy machine.
    testTimeout: 120_000,
    hookTimeout: 240_000,
    include: ['test/**/*.test.ts'],
    // Real servers, two cores: files in parallel would only slow each other.
    fileParallelism: false,
  },
});

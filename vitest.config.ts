import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    testTimeout: 30_000,
    hookTimeout: 120_000,
    include: ['test/**/*.test.ts'],
    // Real servers, two cores: files in parallel would only slow each other.
    fileParallelism: false,
  },
});

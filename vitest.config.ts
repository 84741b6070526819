import { defineConfig } from 'vitest/config';
import { SlowFirst } from './scripts/test-run/slow-first.js';

export default defineConfig({
  test: {
    // Of a hang, not of a busy machine.
    testTimeout: 240_000,
    hookTimeout: 480_000,
    include: ['test/**/*.test.ts'],
    // Loading what is tested takes a second and more, for each file that has a process of its own.
    isolate: false,
    // Real servers, two cores: files in parallel would only slow each other.
    fileParallelism: false,
    sequence: { sequencer: SlowFirst },
    // Of the tests of a file that say so: they wait most of the time, each with servers of its own.
    maxConcurrency: 3,
  },
});

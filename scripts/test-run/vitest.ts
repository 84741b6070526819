import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { runNode } from './child.js';
import type { Totals } from './totals.js';

/** The part of vitest's JSON report that the totals need. */
const report = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numPendingTests: z.number(),
  numTodoTests: z.number(),
  testResults: z.array(z.object({ status: z.string(), assertionResults: z.array(z.unknown()) })),
});

/** Runs one suite, its output streaming by. A run that ends without a report, or ill without saying why, is a failure. */
export async function runVitest(
  name: string,
  filters: readonly string[],
  signal: AbortSignal,
  atOnce = 1,
): Promise<Totals> {
  console.log(`\n== ${name}`);
  const folder = await mkdtemp(join(tmpdir(), 'redis-rollout-totals-'));
  try {
    const file = join(folder, 'report.json');
    const code = await runNode(
      'vitest/vitest.mjs',
      [
        ...['run', '--passWithNoTests', '--reporter=default', '--reporter=json', `--outputFile.json=${file}`],
        ...(atOnce === 1 ? [] : ['--fileParallelism', `--maxWorkers=${atOnce}`]),
        ...filters,
      ],
      signal,
    );
    return count(await readFile(file, 'utf8').catch(() => undefined), code);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Totals of a report; `code` is vitest's own exit code. */
export function count(text: string | undefined, code: number): Totals {
  if (text === undefined) return { passed: 0, failed: code === 0 ? 0 : 1, skipped: 0 };
  const it = report.parse(JSON.parse(text));
  // A file that fails before its first test, by an import or a hook, has no failed test to count.
  const broken = it.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0).length;
  const failed = it.numFailedTests + broken;
  return {
    passed: it.numPassedTests,
    // Errors outside of any test, such as an unhandled rejection, show in the exit code alone.
    failed: failed === 0 && code !== 0 ? 1 : failed,
    skipped: it.numPendingTests + it.numTodoTests,
  };
}

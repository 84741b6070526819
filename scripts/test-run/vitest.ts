import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { z } from 'zod';
import { runNode } from './child.js';
import type { Totals } from './totals.js';

/** The part of vitest's JSON report that the totals need. */
const report = z.object({
  numPassedTests: z.number(),
  numPendingTests: z.number(),
  numTodoTests: z.number(),
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      message: z.string(),
      assertionResults: z.array(
        z.object({ status: z.string(), fullName: z.string(), failureMessages: z.array(z.string()).nullish() }),
      ),
    }),
  ),
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
    return count(name, await readFile(file, 'utf8').catch(() => undefined), code);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Totals of a report; `code` is vitest's own exit code. */
export function count(suite: string, text: string | undefined, code: number): Totals {
  if (text === undefined)
    return { passed: 0, skipped: 0, failures: code === 0 ? [] : [`${suite}: ended with ${code}, without a report`] };
  const it = report.parse(JSON.parse(text));
  const failures = it.testResults
    .filter((file) => file.status === 'failed')
    .toSorted((a, b) => a.name.localeCompare(b.name))
    .flatMap((file) => {
      const where = relative(process.cwd(), file.name);
      const failed = file.assertionResults.filter((test) => test.status === 'failed');
      // A file that fails before its first test or after its last one, by an import or a hook, has no failed test.
      if (failed.length === 0) return [`${where}: ${firstLine(file.message)}`];
      return failed.map((test) => `${where} > ${test.fullName}: ${firstLine(test.failureMessages?.[0])}`);
    });
  return {
    passed: it.numPassedTests,
    // Errors outside of any test, such as an unhandled rejection, show in the exit code alone.
    failures:
      failures.length === 0 && code !== 0 ? [`${suite}: ended with ${code}; its own output says why`] : failures,
    skipped: it.numPendingTests + it.numTodoTests,
  };
}

const firstLine = (text = ''): string => text.split('\n', 1)[0] ?? '';

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { z } from 'zod';
import { projectRoot, runNode } from './child.js';
import { nothing, type Failure, type Totals } from './totals.js';

/** The part of vitest's JSON report that the totals need. */
const report = z.object({
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

/**
 * Runs one suite, its output streaming by. A run that ends without a report, or ill without saying why, is a failure.
 *
 * @param without globs of test files that are left out
 * @param secondTry files that failed are run once more, alone: what passes then is named as flaky, and counts as passed
 */
export async function runVitest(
  name: string,
  filters: readonly string[],
  signal: AbortSignal,
  {
    atOnce = 1,
    without = [],
    secondTry = false,
  }: { atOnce?: number; without?: readonly string[]; secondTry?: boolean } = {},
): Promise<Totals> {
  console.log(`\n== ${name}`);
  const first = await runOnce(name, [...filters, ...without.map((it) => `--exclude=${it}`)], signal, atOnce);
  const files = [...new Set(first.failures.flatMap(({ file }) => file ?? []))];
  if (!secondTry || files.length === 0 || signal.aborted) return first;
  console.log(`\n== ${name}, once more: ${files.join(', ')}`);
  return settle(first, await runOnce(name, files, signal, 1));
}

/** The totals of a suite whose failed files were run again. */
export function settle(first: Totals, again: Totals): Totals {
  const failing = ({ file, test }: Failure): boolean =>
    again.failures.some((it) => it.file === undefined || (it.file === file && (it.test ?? test) === test));
  const fresh = again.failures.filter(
    (it) => !first.failures.some(({ file, test }) => file === it.file && test === it.test),
  );
  const flaky = first.failures.filter((it) => it.file !== undefined && !failing(it));
  return {
    passed: first.passed + flaky.filter(({ test }) => test !== undefined).length,
    skipped: first.skipped,
    failures: [...first.failures.filter((it) => !flaky.includes(it)), ...fresh],
    flaky,
  };
}

async function runOnce(name: string, filters: readonly string[], signal: AbortSignal, atOnce: number): Promise<Totals> {
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
  const ill = (why: string): Totals => ({ ...nothing(), failures: [{ what: suite, why: `ended with ${code}${why}` }] });
  if (text === undefined) return code === 0 ? nothing() : ill(', without a report');
  const totals = nothing();
  for (const { name, status, message, assertionResults } of report.parse(JSON.parse(text)).testResults) {
    const file = relative(projectRoot, name);
    const failed = assertionResults.filter((it) => it.status === 'failed');
    const passed = assertionResults.filter((it) => it.status === 'passed').length;
    totals.passed += passed;
    totals.skipped += assertionResults.length - passed - failed.length;
    for (const { fullName: test, failureMessages } of failed)
      totals.failures.push({ what: `${file} > ${test}`, why: firstLine(failureMessages?.[0]), file, test });
    // A file that fails before its first test or after its last one, by an import or a hook, has no failed test.
    if (status === 'failed' && failed.length === 0) totals.failures.push({ what: file, why: firstLine(message), file });
  }
  // Errors outside of any test, such as an unhandled rejection, show in the exit code alone.
  if (code !== 0 && totals.failures.length === 0) totals.failures.push(...ill('; its own output says why').failures);
  return totals;
}

const firstLine = (text = ''): string => text.split('\n', 1)[0] ?? '';

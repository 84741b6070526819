import { runNode } from './child.js';
import { nothing, type Totals } from './totals.js';

/** What is checked without running anything of ours. Each counts as one test. */
const checks: readonly { name: string; program: string; args: readonly string[] }[] = [
  { name: 'types', program: 'typescript/bin/tsc', args: ['--noEmit'] },
  { name: 'lint', program: 'eslint/bin/eslint.js', args: ['.'] },
  { name: 'format', program: 'prettier/bin/prettier.cjs', args: ['--check', '--log-level', 'warn', '.'] },
  {
    name: 'arrows between the layers',
    program: 'dependency-cruiser/bin/dependency-cruise.mjs',
    args: [
      ...['--config', '.dependency-cruiser.cjs'],
      ...[
        'activities',
        'launch',
        'model',
        'redis',
        'platforms',
        'integrations',
        'workers',
        'workflows',
        'scripts',
        'test',
      ],
    ],
  },
  { name: 'unused files and dependencies', program: 'knip/bin/knip.js', args: ['--no-progress'] },
];

export async function runChecks(signal: AbortSignal): Promise<Totals> {
  console.log('\n== checks');
  const totals = nothing();
  for (const { name, program, args } of checks) {
    if (signal.aborted) break;
    const passed = (await runNode(program, args, signal)) === 0;
    console.log(`${passed ? 'ok' : 'FAIL'} ${name}`);
    if (passed) totals.passed += 1;
    else totals.failures.push({ what: `checks: ${name}`, why: 'see above' });
  }
  return totals;
}

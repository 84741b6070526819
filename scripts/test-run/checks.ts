import { runNode } from './child.js';
import { nothing, type Totals } from './totals.js';

/** What is checked without running anything of ours. Each counts as one test. */
const checks: readonly { name: string; program: string; args: readonly string[] }[] = [
  { name: 'lint', program: 'eslint/bin/eslint.js', args: ['.'] },
  { name: 'types', program: 'typescript/bin/tsc', args: ['--noEmit'] },
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
  const waiting = [...checks];
  const runInTurn = async (): Promise<void> => {
    for (let check = waiting.shift(); check && !signal.aborted; check = waiting.shift()) {
      const { name, program, args } = check;
      const passed = (await runNode(program, args, signal)) === 0;
      console.log(`${passed ? 'ok' : 'FAIL'} ${name}`);
      if (passed) totals.passed += 1;
      else totals.failures.push({ what: `checks: ${name}`, why: 'see above' });
    }
  };
  // Lint takes as long as the others together, and each takes one core.
  await Promise.all([runInTurn(), runInTurn()]);
  return totals;
}

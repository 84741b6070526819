import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { relative } from 'node:path';
import { projectRoot } from './child.js';

/**
 * Files that take a minute or more, the slowest first; of the others vitest begins with the largest. Whatever began last would be
 * waited for with a core idle.
 */
export const slowest: readonly string[] = [
  'test/scripts/demo/demo.test.ts',
  'test/e2e/worker-killed/in-every-activity.test.ts',
  'test/e2e/restore.test.ts',
  'test/e2e/staging.test.ts',
  'test/e2e/fallback.test.ts',
  'test/e2e/backup.test.ts',
  'test/e2e/happy-path.test.ts',
  'test/workflows/fallback-restore.test.ts',
  'test/e2e/validation.test.ts',
  'test/e2e/audit.test.ts',
  'test/workers/approvals-slack.test.ts',
  'test/workers/approvals-webhooks.test.ts',
  'test/redis/handover/handover.test.ts',
  'test/workflows/fallback-every-step.test.ts',
  'test/workflows/windows.test.ts',
  'test/redis/standby/interrupted.test.ts',
  'test/e2e/fallback-restore.test.ts',
  'test/workflows/controls.test.ts',
  'test/scripts/rollout/operation.test.ts',
  'test/activities/standby/lost-and-found.test.ts',
  'test/redis/standby/cut-over.test.ts',
  'test/redis/follow/random-in-cluster.test.ts',
  'test/scripts/bench.test.ts',
  'test/simulation/upgrades.test.ts',
  'test/chaos/command.test.ts',
  'test/model/report/browser.test.ts',
];

/** Files in the order in which they are begun. */
export class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = slowest.indexOf(relative(projectRoot, moduleId));
      return at === -1 ? slowest.length : at;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}

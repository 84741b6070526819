import type { Command } from 'commander';
import { loadDeployment, readDeploymentFile } from '../../../integrations/deployment-files.js';
import type { Deployment } from '../../../model/deployment.js';
import { blockersOf } from '../../../model/plan.js';
import { command, shared } from '../command.js';
import { Complaint } from '../complaint.js';
import { painter, print, printJson, widthOf } from '../terminal.js';
import { planView, warningText } from '../views/plan-view.js';

export function planCommand(): Command {
  return command('plan', {
    summary: 'what an upgrade would take; changes nothing',
    description:
      'Reads the live cluster and prints the ordered steps of each shard: what each waits for, how many copies of the ' +
      'data there are meanwhile, the expected time, the gates as they stand, and what speaks against it. Nothing is ' +
      'touched, and no Temporal is needed. Exit code 2 when something blocks the upgrade.',
    examples: [
      ['rollout plan orders --to 8.0', 'deployments/orders.yaml'],
      ['rollout plan /etc/rollout/orders.yaml --to valkey-9.1', 'a file elsewhere'],
      ['rollout plan orders --to 7.2 --via 7.0', 'in two hops, where one step is refused'],
      ['rollout plan orders --to 8.0 --json | jq .warnings', 'for scripts'],
    ],
  })
    .argument('<file|deployment>', 'deployment file, or its name')
    .requiredOption('--to <release>', 'release to go to: 8.0, 7.2.4, valkey-9.1')
    .addOption(shared.via())
    .action(plan);
}

async function plan(which: string, { to, via, json }: { to: string; via: string[]; json?: true }): Promise<void> {
  const deployment = await find(which);
  const { readPlan } = await import('../../../workers/read-plan.js');
  const found = await readPlan(deployment, to, via);
  if (json) printJson(found);
  else print(planView(found, { paint: painter(process.stdout), width: widthOf(process.stdout) }));
  const blockers = blockersOf(found);
  if (blockers.length > 0)
    throw new Complaint(
      'usage',
      `${found.deployment} can't be upgraded to ${to} as it stands`,
      blockers.flatMap((it) => [warningText(it), ...(it.next === undefined ? [] : [it.next])]),
    );
}

/** A path has a slash or an ending; anything else is a name. */
const find = (which: string): Promise<Deployment> =>
  /[/\\]|\.ya?ml$/.test(which) ? readDeploymentFile(which) : loadDeployment(which);

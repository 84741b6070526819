import { Option, type Command } from 'commander';
import type { DrillBeat, DrillRecord } from '../../../model/drill.js';
import { drDrillInput, inputProblems } from '../../../model/inputs.js';
import { drillWorkflowId } from '../../../model/names.js';
import type { DrillActivities } from '../../../model/backup-work.js';
import type { TemporalAccess } from '../../../workers/client.js';
import { command, shared } from '../command.js';
import { Complaint } from '../complaint.js';
import { identity } from '../identity.js';
import { resultOf, startShort } from '../run-to-end.js';
import { withTemporal } from '../temporal.js';
import { note, print, printJson, widthOf } from '../terminal.js';
import { drillView } from '../views/drill-view.js';

export function drillCommand(): Command {
  const list = (option: string, what: string): Option =>
    new Option(option, what).argParser((text: string) => text.split(','));
  return command('drill', {
    summary: 'rehearse a disaster: restore into a cluster that is thrown away, and measure it',
    description:
      'The worker starts a cluster on its own machine, restores into it what the archive or the newest backup has, compares every ' +
      'key, runs the checks of the deployment file, kills a primary, loses a shard and restores it, measures all of that against ' +
      'drill.objectives, and throws the cluster away. No node of the deployment is touched. What came of it is kept beside the ' +
      'backups. Where the worker has not enough memory it is refused, with figures; a part of the deployment may do.',
    examples: [
      ['rollout drill orders', 'the newest moment that can be had'],
      ['rollout drill orders --at 2026-11-29T23:14:00Z', 'this moment, by the archive'],
      ['rollout drill orders --backup 20261129T231400Z-1a2b3c4d', 'this backup'],
      ['rollout drill orders --sample 2', 'two of its shards, others each time'],
      ['rollout drills orders', 'what came of the last ones'],
    ],
  })
    .argument('<deployment>', 'name of the deployment')
    .option('--backup <id>', 'this backup, as `rollout backups` lists it')
    .option('--at <instant>', 'as it was at a moment, by the archive: 2026-11-29T23:14:00Z; now: as far as it reaches')
    .option('--before <command>', 'as it was just before the last command of the archive that begins so')
    .option('--offset <shard=offset>', 'as it was when a shard was at an offset: shard-1=123456')
    .addOption(list('--shards <names>', 'only these shards of the backup: shard-1,shard-4'))
    .addOption(list('--slots <ranges>', 'only keys of these slots: 0-5460,8000'))
    .addOption(
      new Option('--sample <shards>', 'only so many shards, those that were restored the longest ago').argParser(
        Number,
      ),
    )
    .option('--no-wait', 'leave once it is started')
    .addOption(shared.as())
    .action(drill);
}

interface DrillOptions {
  backup?: string;
  at?: string;
  before?: string;
  offset?: string;
  shards?: string[];
  slots?: string[];
  sample?: number;
  as?: string;
  wait: boolean;
  json?: true;
}

async function drill(deployment: string, { as, wait, json, ...asked }: DrillOptions): Promise<void> {
  const raw = { deployment, startedBy: identity(as), ...asked };
  const input = drDrillInput.safeParse(raw);
  if (!input.success) throw new Complaint('usage', `no drill can be held:\n${inputProblems(input.error, raw)}`);
  await withTemporal(async (temporal) => {
    const workflowId = drillWorkflowId(deployment);
    const what = `a drill of ${deployment}`;
    const started = await startShort(temporal, { type: 'drDrill', workflowId, input: input.data, what });
    if (!wait) {
      if (json) printJson({ ...started, input: input.data });
      else print(`Started ${workflowId}. See what comes of it: rollout drills ${deployment}`);
      return;
    }
    const record = await resultOf<DrillRecord>(temporal, started, watcher(temporal));
    if (json) printJson(record);
    else print(drillView(record, { width: widthOf(process.stdout) }));
    if (!record.passed)
      throw new Complaint('stopped', `the drill of ${deployment} failed`, [`See: rollout drills ${deployment}`]);
  });
}

/** Says what is being done, each time that it is something else: on a terminal every second at most, else every ten. */
function watcher({ client }: TemporalAccess): Parameters<typeof resultOf>[2] {
  const everyMs = process.stderr.isTTY ? 1000 : 10_000;
  let saidAt = Date.now();
  let last = '';
  return async (description) => {
    if (Date.now() - saidAt < everyMs) return;
    const { heartbeatsOf } = await import('../../../workers/heartbeats.js');
    const types = ['rehearseRecovery'] satisfies (keyof DrillActivities)[];
    const [beat] = heartbeatsOf<DrillBeat>(description, client.workflow, types);
    if (!beat || beat.doing === last) return;
    saidAt = Date.now();
    note((last = beat.doing));
  };
}

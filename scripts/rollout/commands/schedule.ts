import { Option, type Command } from 'commander';
import { loadDeployment } from '../../../integrations/deployment-files.js';
import type { ScheduleState } from '../../../workers/schedules.js';
import type { TemporalAccess } from '../../../workers/client.js';
import { command, shared } from '../command.js';
import { Complaint } from '../complaint.js';
import { identity } from '../identity.js';
import { withTemporal } from '../temporal.js';
import { print, printJson, widthOf } from '../terminal.js';
import { schedulesView, type SeenSchedule } from '../views/schedule-view.js';

interface ScheduleCommandOptions {
  list?: true;
  remove?: true;
  pause?: true;
  resume?: true;
  reason?: string;
  as?: string;
  json?: true;
}

export function scheduleCommand(): Command {
  const others = ['list', 'remove', 'pause', 'resume'];
  const one = (name: string, what: string): Option =>
    new Option(`--${name}`, what).conflicts(others.filter((it) => it !== name));
  return command('schedule', {
    summary: 'have backups taken and drills held by themselves, as the deployment file says',
    description:
      'Brings the Temporal Schedules of a deployment in line with backup.schedule of its file (hourly, daily, weekly and ' +
      'monthly backups) and drill.schedule. Run it again whenever the file has changed; it says what it did, when the next ones are due, and ' +
      'what became of the last. A schedule that is paused stays paused.',
    examples: [
      ['rollout schedule orders', 'create, change and remove, until it is as the file has it'],
      ['rollout schedule orders --list', 'look, and change nothing'],
      ['rollout schedule orders --pause --reason "store is moved"', 'begin nothing until --resume'],
      ['rollout schedule orders --remove', 'end it; backups and records of drills stay'],
    ],
  })
    .argument('<deployment>', 'name of the deployment')
    .addOption(one('list', 'show what there is, and change nothing'))
    .addOption(one('remove', 'remove the schedules; backups and records of drills stay'))
    .addOption(one('pause', 'begin nothing until --resume'))
    .addOption(one('resume', 'go on with them'))
    .option('--reason <text>', 'why; kept with a paused schedule')
    .addOption(shared.as())
    .action(schedule);
}

async function schedule(name: string, options: ScheduleCommandOptions): Promise<void> {
  const deployment = await loadDeployment(name);
  const { alignSchedules, pauseSchedules, readSchedules, removeSchedules } =
    await import('../../../workers/schedules.js');
  await withTemporal(async (temporal) => {
    const { schedule: client } = temporal.client;
    const act = async (): Promise<ScheduleState[]> => {
      if (options.list) return readSchedules(client, deployment);
      if (options.remove) return removeSchedules(client, deployment);
      if (!options.pause && !options.resume) return alignSchedules(client, deployment);
      const pause = options.pause === true;
      const note = [`${pause ? 'paused' : 'resumed'} by ${identity(options.as)}`, options.reason].filter(Boolean);
      return pauseSchedules(client, deployment, { pause, note: note.join(': ') });
    };
    const seen = await Promise.all((await act()).map((it) => withOutcome(temporal, it)));
    if (seen.length === 0 && !options.list && !options.remove)
      throw new Complaint(
        'usage',
        `${name} has no schedules, and its file has neither backup.schedule nor drill.schedule`,
        ['Add one (docs/backups.md, docs/drills.md): `schedule: {}` below backup or drill has every default.'],
      );
    if (options.json) printJson({ deployment: name, schedules: seen });
    else print(schedulesView(seen, { deployment: name, now: Date.now(), width: widthOf(process.stdout) }));
  });
}

/** What became of the last; nothing is said of one that Temporal has forgotten. */
async function withOutcome({ client }: TemporalAccess, state: ScheduleState): Promise<SeenSchedule> {
  if (!state.last) return state;
  const { workflowId, runId } = state.last;
  try {
    const { status } = await client.workflow.getHandle(workflowId, runId).describe();
    return { ...state, last: { ...state.last, status: status.name.toLowerCase() } };
  } catch (error) {
    const { WorkflowNotFoundError } = await import('@temporalio/client');
    if (error instanceof WorkflowNotFoundError) return state;
    throw error;
  }
}

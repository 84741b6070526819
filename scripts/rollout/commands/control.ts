import { Option, type Command } from 'commander';
import { readSigningKey, signAnswer } from '../../../integrations/signing-key.js';
import { controlSchemas, inputProblems } from '../../../model/inputs.js';
import type { ControlName } from '../../../model/names.js';
import type { OperationStatus } from '../../../model/operation.js';
import type { TemporalAccess } from '../../../workers/client.js';
import { command, shared } from '../command.js';
import { Complaint } from '../complaint.js';
import { identity } from '../identity.js';
import { isNoWorker, noWorker, reasonOf, withTemporal, workflowIdOf } from '../temporal.js';
import { print, printJson } from '../terminal.js';

interface ControlOptions {
  as?: string;
  approval?: string;
  comment?: string;
  reason?: string;
  gate?: string;
  shard?: string;
  key?: string;
  signal?: true;
  json?: true;
}

/** How long an update may stay unanswered, ms: a worker answers within a fraction of a second. */
export const ANSWER_WITHIN = 8000;

const approval = () => new Option('--approval <name>', 'which question: start, handover, handover:shard-2, finalize');
const comment = () => new Option('--comment <text>', 'goes on record');
const key = () =>
  new Option('--key <reference>', 'sign it with this key: env:NAME or file:PATH (default: ROLLOUT_KEY, else unsigned)');
const reason = () => new Option('--reason <text>', 'goes on record, and is shown to the others');

/** All but `fallback`, which needs no operation that runs. */
type Steering = Exclude<ControlName, 'fallback'>;

const texts: Record<
  Steering,
  { summary: string; description: string; options: Option[]; examples: [string, string][] }
> = {
  approve: {
    summary: 'answer an open question with yes',
    description:
      'Approves what an operation asks. --approval may be left out when just one question is open. Whether you may, ' +
      'policy.roles and policy.approvals of the deployment file say.',
    options: [approval(), comment(), key()],
    examples: [
      ['rollout approve orders --approval handover', 'as yourself'],
      ['rollout approve orders --key file:/home/ana/rollout.key', 'signed'],
      ['rollout approve orders --as ana --comment "checked the canary"', 'the only open question'],
    ],
  },
  reject: {
    summary: 'answer an open question with no',
    description: 'Rejects what an operation asks: it stops where it is, safely, and says how to go on.',
    options: [approval(), comment(), key()],
    examples: [['rollout reject orders --approval handover --comment "not on a Friday"', 'stops before the handover']],
  },
  pause: {
    summary: 'hold an operation before its next step',
    description: 'The step under way is finished, since half a step is no place to stay; nothing new is begun.',
    options: [reason()],
    examples: [['rollout pause orders --reason "incident 4711"', 'until `rollout resume orders`']],
  },
  resume: {
    summary: 'let a paused operation go on',
    description: 'Takes a pause back. Gates are held anew before the next step.',
    options: [reason()],
    examples: [['rollout resume orders', 'goes on where it stood']],
  },
  abort: {
    summary: 'end an operation at the next safe point',
    description:
      'The step under way is finished or taken back, then the operation ends and says where every node stands. ' +
      'Starting the same upgrade again continues from there.',
    options: [reason()],
    examples: [['rollout abort orders --reason "wrong target"', 'ends at the next safe point']],
  },
  override: {
    summary: 'let a gate pass, by name and on record',
    description:
      'A gate that nobody can clear is worse than none: this lets one pass that fails or waits. The reason goes on ' +
      'record and into the report.',
    options: [
      new Option('--gate <name>', 'the gate, as `rollout status` names it').makeOptionMandatory(),
      new Option('--reason <text>', 'why; goes on record').makeOptionMandatory(),
      new Option('--shard <name>', 'for this shard only'),
    ],
    examples: [['rollout override orders --gate memory --reason "swap added" --shard shard-2', 'for one shard']],
  },
};

export function controlCommand(name: Steering): Command {
  const { options, ...text } = texts[name];
  const built = command(name, text).argument('<deployment>', 'name of the deployment, or id of the operation');
  for (const option of options) built.addOption(option);
  return built
    .addOption(shared.as())
    .option('--signal', 'do not wait for an answer: delivered even when no worker runs now, checked later')
    .action((deployment: string, given: ControlOptions) => control(name, deployment, given));
}

async function control(name: Steering, deployment: string, given: ControlOptions): Promise<void> {
  const workflowId = workflowIdOf(deployment);
  const { approval, comment, reason, gate, shard } = given;
  const input = {
    by: identity(given.as),
    ...Object.fromEntries(
      Object.entries({ approval, comment, reason, gate, shard }).filter(([, value]) => value !== undefined),
    ),
  };
  const parsed = controlSchemas[name].safeParse(input);
  if (!parsed.success) throw new Complaint('usage', `${name} can't be sent:\n${inputProblems(parsed.error, input)}`);
  const key = name === 'approve' || name === 'reject' ? (given.key ?? process.env['ROLLOUT_KEY']) : undefined;
  const signer = key === undefined || key === '' ? undefined : await readSigningKey(key);
  await withTemporal(async (temporal) => {
    const said =
      signer && (name === 'approve' || name === 'reject')
        ? await running(temporal, workflowId, async (handle) =>
            signAnswer(await handle.query<OperationStatus>('status'), input, name, signer),
          )
        : parsed.data;
    if (given.signal) {
      await running(temporal, workflowId, (handle) => handle.signal(name, said));
      if (given.json) printJson({ workflowId, signal: name, input: said, delivered: true });
      else print([`Delivered to ${workflowId}. Whether it was taken is seen with: rollout status ${deployment}`]);
      return;
    }
    const answer = await running(temporal, workflowId, (handle) =>
      temporal.connection.withDeadline(Date.now() + ANSWER_WITHIN, () =>
        handle.executeUpdate<string, [unknown]>(name, { args: [said] }),
      ),
    ).catch(async (error: unknown) => {
      throw await refusal(error, name, temporal);
    });
    if (given.json) printJson({ workflowId, update: name, input: said, answer });
    else print(answer);
  });
}

type Handle = ReturnType<TemporalAccess['client']['workflow']['getHandle']>;

/** Temporal answers "not found" of an operation that has ended: a person wants to know when and how it ended. */
async function running<T>(
  { client }: TemporalAccess,
  workflowId: string,
  act: (handle: Handle) => Promise<T>,
): Promise<T> {
  const { WorkflowNotFoundError } = await import('@temporalio/client');
  const handle = client.workflow.getHandle(workflowId);
  try {
    return await act(handle);
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
    const description = await handle.describe();
    throw new Complaint(
      'refused',
      `${workflowId} is not running: it ended ${description.closeTime?.toISOString() ?? ''} (${description.status.name.toLowerCase()})`,
      [`See how: rollout status ${workflowId.replace(/^redis\//, '')}`],
      { cause: error },
    );
  }
}

export async function refusal(
  error: unknown,
  name: ControlName,
  { address, namespace }: TemporalAccess,
): Promise<unknown> {
  const { WorkflowUpdateFailedError } = await import('@temporalio/client');
  if (error instanceof WorkflowUpdateFailedError)
    return new Complaint('refused', reasonOf(error.cause), [], { cause: error });
  if (!(await isNoWorker(error))) return error;
  const { message, next } = noWorker(address, namespace);
  return new Complaint('noWorker', `${message}, so \`${name}\` got no answer`, [
    ...next,
    ...(name === 'fallback' ? [] : [`Or leave it for when one does: the same command with --signal`]),
  ]);
}

import { join } from 'node:path';
import { isCancel, select } from '@clack/prompts';
import { operationId, TASK_QUEUE } from '../../model/names.js';
import type { OperationStatus } from '../../model/operation.js';
import type { TemporalAccess } from '../../workers/client.js';
import { follow, type Seen } from '../rollout/watch/follow.js';
import { Lines } from '../rollout/watch/lines.js';
import { people } from './deployment.js';
import { takeBack, type TakingBack } from './way-back.js';

export interface Upgrading {
  from: string;
  to: string;
  /** Approve without asking. */
  yes: boolean;
  /** Aborted by Ctrl-C. */
  signal: AbortSignal;
  /** Its questions are answered in a channel: not here. */
  inChat?: true;
  /** What it is taken back with during its soak, where it is to be. */
  back?: Omit<TakingBack, 'handle' | 'signal' | 'by'>;
}

/** Starts the upgrade, follows it, answers its questions; the report's path once it has ended. */
export async function upgrade(
  temporal: TemporalAccess,
  { from, to, yes, signal, inChat, back }: Upgrading,
): Promise<string | undefined> {
  const workflowId = operationId('orders');
  const handle = await temporal.client.workflow.start('upgrade', {
    workflowId,
    taskQueue: TASK_QUEUE,
    args: [{ deployment: 'orders', to, startedBy: 'demo' }],
    staticSummary: `orders: Redis ${from} → ${to}, rolling, 3×2 nodes`,
  });
  // Who fails to do his part would have the operation wait for ever.
  const failed = new AbortController();
  const until = AbortSignal.any([signal, failed.signal]);
  const parts = new Map<string, Promise<void>>();
  const once = (name: string, part: () => Promise<void>): void => {
    if (!parts.has(name))
      parts.set(
        name,
        part().catch((error: unknown) => failed.abort(error)),
      );
  };
  const answer = async (approval: string, status: OperationStatus): Promise<void> => {
    const record = status.approvals.find((it) => it.approval === approval && it.state === 'open');
    const by = people[(record?.roles[0] ?? 'engineering') as keyof typeof people];
    const decision = yes ? 'approve' : await ask(record?.question ?? approval, by);
    await handle.executeUpdate(decision, { args: [{ by, approval, comment: yes ? 'demo --yes' : 'at the demo' }] });
  };
  const lines = new Lines();
  const watcher = {
    seen(view: Seen): void {
      lines.seen(view);
      const { status } = view;
      for (const { kind, name } of status.waiting)
        if (kind === 'approval' && !inChat) once(`approval ${name}`, () => answer(name, status));
      if (back && status.phase === 'soaking')
        once('fallback', () => takeBack(status, { ...back, handle, by: people.operations, signal: until }));
    },
    blind: (why: string) => lines.blind(why),
    close: () => lines.close(),
  };
  const followed = await follow(temporal, workflowId, watcher, {
    ...{ intervalMs: 500, exitWhenWaiting: false, signal: until },
  });
  if (!signal.aborted) failed.signal.throwIfAborted();
  if (followed.end !== 'ended') return undefined;
  await Promise.all(parts.values());
  const { statement, artefacts } = followed.view?.status ?? (await handle.query<OperationStatus>('status'));
  console.log(`\n${statement ?? ''}`);
  return artefacts === '' ? undefined : join(artefacts, 'report.html');
}

async function ask(question: string, by: string): Promise<'approve' | 'reject'> {
  const given = await select({
    message: `${question} (you answer as ${by})`,
    options: [
      { value: 'approve', label: 'approve' },
      { value: 'reject', label: 'reject: the upgrade stops here, safely' },
    ],
  });
  return isCancel(given) || given === 'reject' ? 'reject' : 'approve';
}

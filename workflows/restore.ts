import { CancellationScope, condition, isCancellation, setCurrentDetails, workflowInfo } from '@temporalio/workflow';
import {
  forecastText,
  resultText,
  sourceText,
  tooLargeFor,
  totalsOfForecast,
  type ComparedShard,
  type RemovedOthers,
  type RestoredShard,
  type RestoreForecast,
  type RestoreOf,
  type RestoreProgress,
  type RestoreResult,
  type ShardForecast,
} from '../model/backup-restore.js';
import { inParallel } from '../model/in-parallel.js';
import { workflowSchemas, type RestoreInput } from '../model/inputs.js';
import { pointOf } from '../model/recovery-point.js';
import { parseSlotRange } from '../model/topology.js';
import type { Order } from '../model/work.js';
import type { RestoreBeginning } from '../model/backup-work.js';
import { badInput, messageOf, stopped } from './failure.js';
import { agree } from './restore-consent.js';
import { loads, looks } from './restore-proxies.js';
import { Run, type Ended } from './run.js';

/** Each holds some megabytes on their way. */
const SHARDS_AT_ONCE = 4;

/**
 * Loads a backup, all of it or some, into a deployment that serves: its own or another, of as many shards or not, of its
 * release, an older or a newer one. The backup is read whole before the first key is written, people agree where there are
 * keys already, and every key is compared afterwards. Its id is the deployment's lock.
 */
export async function restore(raw: unknown): Promise<Ended<RestoreResult> | RestoreForecast> {
  const parsed = workflowSchemas.restore.safeParse(raw);
  if (parsed.success) {
    const { confirm, deployment, dryRun } = parsed.data;
    if (confirm !== undefined && confirm !== deployment)
      throw badInput(
        'BadInput',
        `confirm: expected '${deployment}', the deployment that is written to, found '${confirm}'`,
      );
    if (dryRun) return dryRunOf(parsed.data);
  }
  return Run.of('restore', raw, async (run, input) => {
    const { deployment, startedBy, existing, exactly, rate } = input;
    const { order } = run;
    run.phase('assessing', `finding the backup, and looking at ${deployment}; nothing is written`);
    const found = await begin(order, input);
    run.people.questions.policy = found.policy;
    run.searchable = found.searchable;
    const releases = found.targets.map(({ release }) => release);
    Object.assign(run.status, { from: found.shards[0]?.release ?? 'an unknown release', to: releases[0] ?? '' });
    run.audit.begin();
    const of = ofThe(found, input);
    run.status.restore = { of };
    const show = (doing: RestoreProgress['doing'], done: Record<string, number>): void => {
      const keysOf = (shard: string): number =>
        meant[shard] ?? found.shards.find((it) => it.shard === shard)?.keys ?? 0;
      const shards = found.shards.map(({ shard }) => ({ shard, keys: keysOf(shard), done: done[shard] ?? 0 }));
      const sum = (what: 'keys' | 'done'): number => shards.reduce((total, it) => total + it[what], 0);
      run.status.restoring = { backup: of.backup, from: of.from, doing, keys: sum('keys'), done: sum('done'), shards };
      run.publish();
    };
    const meant: Record<string, number> = {};
    show('reading', {});
    run.phase('assessing', `reading ${sourceText(of, deployment)} whole, before anything is written`);
    const forecast = await forecastOf(order, input, found, of);
    run.status.restore.forecast = forecast;
    for (const { shard, selected } of forecast.shards) meant[shard] = selected;
    for (const line of forecastText(forecast)) run.note('note', line);
    await agree(run, input, forecast, found.policy.approvals.restore);

    run.untouched = false;
    run.phase('restoring', `${sourceText(of, deployment)} into ${deployment}`);
    const begun = Date.now();
    const done: Record<string, number> = {};
    show('loading', done);
    const restored: RestoredShard[] = [];
    await whileNotAborted(run, () =>
      inParallel(found.shards, SHARDS_AT_ONCE, async ({ shard }) => {
        const perShard =
          rate === undefined
            ? undefined
            : Math.max(1, Math.floor(rate / Math.min(SHARDS_AT_ONCE, found.shards.length)));
        const whole = input.keys === undefined && input.slots === undefined;
        const it = await run.step(`load ${shard}`, { shard }, () =>
          loads.loadShard.executeWithOptions({ summary: `load ${shard} of ${of.backup}` }, [
            {
              ...{ ...order, ...of, shard, expected: meant[shard] ?? 0 },
              ...{ existing: existing === 'replace' ? ('replace' as const) : ('keep' as const) },
              functions: whole && shard === found.shards[0]?.shard,
              ...(perShard === undefined ? {} : { rate: perShard }),
            },
          ]),
        );
        restored.push(it);
        done[shard] = it.selected;
        show('loading', done);
      }),
    );
    const tookMs = Date.now() - begun;

    const removed: RemovedOthers[] = [];
    if (exactly) {
      run.phase('restoring', `removing what of ${deployment} is not in ${sourceText(of, deployment)}`);
      await whileNotAborted(run, () =>
        inParallel(found.shards, SHARDS_AT_ONCE, async ({ shard, keys: expected }) => {
          const summary = `remove what is not in ${shard} of ${of.backup}`;
          removed.push(
            await run.step(`remove what is not in ${shard}`, { shard }, () =>
              loads.removeOthers.executeWithOptions({ summary }, [{ ...order, ...of, shard, expected }]),
            ),
          );
        }),
      );
    }

    run.phase('validating', `every key of ${sourceText(of, deployment)} against ${deployment}`);
    const seen: Record<string, number> = {};
    show('comparing', seen);
    const before = await loads.countWrites.executeWithOptions({ summary: 'count writes' }, [order]);
    const compared: ComparedShard[] = [];
    await whileNotAborted(run, () =>
      inParallel(found.shards, SHARDS_AT_ONCE, async ({ shard }) => {
        const it = await run.step(`compare ${shard}`, { shard }, () =>
          loads.compareShard.executeWithOptions({ summary: `compare ${shard} of ${of.backup}` }, [
            { ...order, ...of, shard, expected: meant[shard] ?? 0 },
          ]),
        );
        compared.push(it);
        seen[shard] = it.keys + it.expired;
        show('comparing', seen);
      }),
    );
    const after = await loads.countWrites.executeWithOptions({ summary: 'count writes' }, [order]);
    const liveWriters = JSON.stringify(before) !== JSON.stringify(after);
    const keys = restored.reduce((sum, it) => sum + it.written, 0);
    const written = { keys, keysPerSecond: Math.round((keys / Math.max(1, tookMs)) * 1000), tookMs };
    const result = {
      ...{ ...of, deployment, existing, restored, compared, written, liveWriters },
      ...(exactly ? { removed } : {}),
    };
    run.status.restore.result = result;
    expectAsInBackup(result);
    run.concluded = resultText(result).join('\n');
    return input.confirm === undefined ? result : { ...result, confirmedBy: startedBy };
  });
}

/** Says what would be done; holds no lock, and changes nothing. */
async function dryRunOf(input: RestoreInput): Promise<RestoreForecast> {
  const { deployment } = input;
  const order = { deployment, operation: `${deployment}/${workflowInfo().runId}` };
  try {
    setCurrentDetails(`What a restore of ${deployment} would do: the backup is read, nothing is written.`);
    const found = await begin(order, input);
    return await forecastOf(order, input, found, ofThe(found, input));
  } catch (error) {
    if (isCancellation(error)) throw error;
    throw stopped(messageOf(error), error);
  }
}

function begin(order: Order, input: RestoreInput): Promise<RestoreBeginning> {
  const { backup, from } = input;
  const point = pointOf(input);
  const summary = point ? 'find the point, and where to begin' : `find ${backup ?? 'the newest backup'}`;
  return looks.beginRestore.executeWithOptions({ summary }, [
    {
      ...{ ...order, ...(backup === undefined ? {} : { backup }), ...(from === undefined ? {} : { from }) },
      ...(point ? { point } : {}),
    },
  ]);
}

const ofThe = ({ backup, from, point }: RestoreBeginning, { keys, slots }: RestoreInput): RestoreOf => ({
  ...{ backup, from },
  ...(point ? { point: { asked: point.asked, shards: point.shards } } : {}),
  ...(keys === undefined ? {} : { keys }),
  ...(slots === undefined
    ? {}
    : {
        slots: slots.flatMap((text) => {
          const range = parseSlotRange(text);
          return range ? [range] : [];
        }),
      }),
});

async function forecastOf(
  order: Order,
  { existing, exactly }: RestoreInput,
  found: RestoreBeginning,
  of: RestoreOf,
): Promise<RestoreForecast> {
  const { targets, takenAt } = found;
  const ask = targets.some(({ keys }) => keys > 0);
  const shards: ShardForecast[] = [];
  await inParallel(found.shards, SHARDS_AT_ONCE, async ({ shard, keys: expected }) => {
    const input = { ...order, ...of, shard, expected, ask, exactly };
    shards.push(await loads.forecastShard.executeWithOptions({ summary: `read ${shard} of ${of.backup}` }, [input]));
  });
  const { deployment } = order;
  const totals = totalsOfForecast(shards, targets, existing);
  return {
    ...of,
    deployment,
    takenAt,
    existing,
    exactly,
    shards,
    targets,
    totals,
    tooLarge: tooLargeFor(shards, targets, existing),
  };
}

/** Shards under way end soon after an abort: what they have written stays. */
async function whileNotAborted(run: Run, act: () => Promise<unknown>): Promise<void> {
  await run.checkpoint();
  const scope = new CancellationScope();
  const acting = scope.run(act);
  let over = false;
  void condition(() => over || run.aborted !== undefined).then(() => {
    if (!over) scope.cancel();
  });
  try {
    await acting;
  } catch (error) {
    run.heedAbort();
    throw error;
  } finally {
    over = true;
  }
}

/** Without others' writes whatever differs is wrong. */
function expectAsInBackup({ deployment, restored, compared, liveWriters }: RestoreResult): void {
  const sum = <T>(all: readonly T[], of: (it: T) => number): number => all.reduce((total, it) => total + of(it), 0);
  const different = sum(compared, (it) => it.different) - sum(restored, (it) => it.kept);
  const missing = sum(compared, (it) => it.missing) - sum(restored, (it) => it.refused);
  if (liveWriters || (different <= 0 && missing <= 0)) return;
  const examples = compared.flatMap((it) => it.examples).slice(0, 10);
  throw stopped(
    `${Math.max(0, different)} keys of ${deployment} are not as in the backup, and ${Math.max(0, missing)} are not there, although nobody else wrote: ${examples.join('; ')}`,
    undefined,
    'Different',
  );
}

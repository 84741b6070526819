import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { link, readFile, rename, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RolloutError } from '../model/failures.js';
import type { GivenUp, LedgerResult, ProbeReport } from '../model/evidence.js';
import { SLOTS, slotCount, type ShardView } from '../model/topology.js';
import type { EvidenceActivities } from '../model/work.js';
import { startProbe } from '../redis/probe/process.js';
import { readBackLedger, removeProbeKeys } from '../redis/probe/read-back.js';
import { contextFor, heartbeating } from './context.js';
import type { Dependencies } from './dependencies.js';
import { RECENT } from './observe.js';
import { readNamed, type Reading } from './shard-names.js';

const PROBE_FOLDER = 'probe';
export const PROBE_REPORT = 'probe-report.json';
const LEDGER = 'ledger.json';
/** In the operation's folder: what restores have given up meanwhile. */
export const GIVEN_UP = 'given-up.json';
/** How often a report of the running operation gets new figures, ms. */
const REPORT_EVERY_MS = 5000;
/** How often the gates get new figures, ms: as often as the probe's process tells them. */
const RECENT_EVERY_MS = 500;

export function probeActivities(dependencies: Dependencies): Pick<EvidenceActivities, 'runProbe' | 'readLedger'> {
  return {
    runProbe: (input) =>
      heartbeating(async () => {
        const context = await contextFor(dependencies, input);
        const { deployment, endpoint, folder, signal } = context;
        const { policy, seeds } = deployment;
        if (!policy.probe.enabled) return;
        const shards = await wholeCluster(context);
        await using probe = await startProbe({
          seeds,
          endpoint,
          shards: shards.map(({ name, slots }) => ({ name, slots })),
          policy: policy.probe,
          folder: join(folder, PROBE_FOLDER),
        });
        let due = 0;
        let ended: string | undefined;
        void probe.ended.then((why) => (ended = why ?? 'the probe ended'));
        while (!signal.aborted) {
          if (ended !== undefined) throw new RolloutError('Unreachable', ended);
          await replace(join(folder, RECENT), JSON.stringify({ at: Date.now(), recent: probe.recent() }));
          if (performance.now() > due) {
            await writeProbeReport(folder, await probe.report());
            due = performance.now() + REPORT_EVERY_MS;
          }
          await sleep(RECENT_EVERY_MS, undefined, { signal }).catch(() => undefined);
        }
        await writeProbeReport(folder, await probe.stop());
        signal.throwIfAborted();
      }),

    readLedger: (input) =>
      heartbeating(async (progress) => {
        const { deployment, endpoint, folder } = await contextFor(dependencies, input);
        const ledger = {
          ...{ seeds: deployment.seeds, endpoint, folder: join(folder, PROBE_FOLDER), onProgress: progress },
          givenUp: await readGivenUp(folder),
        };
        if (!existsSync(ledger.folder)) return undefined;
        const file = join(folder, LEDGER);
        // Read before its keys are removed, and never again after: a second attempt would find them all lost. So would
        // one that hung while it read: the first result stays.
        if (!existsSync(file)) await keepFirst(file, JSON.stringify(await readBackLedger(ledger)));
        const result = JSON.parse(await readFile(file, 'utf8')) as LedgerResult;
        // What is left of a lost write is evidence.
        if (result.lost === 0) await removeProbeKeys(ledger);
        const report = await readFile(join(folder, PROBE_REPORT), 'utf8').catch(() => undefined);
        if (report !== undefined) await writeProbeReport(folder, JSON.parse(report) as ProbeReport);
        return result;
      }),
  };
}

/**
 * The shards as they are measured from now on: what is missing here would never be measured.
 *
 * @throws RolloutError Unreachable, for another try, while a slot has no primary that can be read
 */
export async function wholeCluster(context: Reading): Promise<ShardView[]> {
  const { shards, disagreements } = (await readNamed(context)).topology;
  const covered = slotCount(shards.flatMap(({ slots }) => slots));
  if (covered === SLOTS) return shards;
  throw new RolloutError(
    'Unreachable',
    `the probe begins when every slot has a primary that can be read, found ${covered} of ${SLOTS} slots: ${disagreements.slice(0, 3).join('; ')}`,
  );
}

async function readGivenUp(folder: string): Promise<GivenUp[]> {
  const text = await readFile(join(folder, GIVEN_UP), 'utf8').catch(() => '[]');
  return JSON.parse(text) as GivenUp[];
}

/** With the ledger once it is read back: a probe whose worker hung until then must not take it out again. */
async function writeProbeReport(folder: string, report: ProbeReport): Promise<void> {
  const ledger = await readFile(join(folder, LEDGER), 'utf8').catch(() => undefined);
  const whole = ledger === undefined ? report : { ...report, ledger: JSON.parse(ledger) as LedgerResult };
  await replace(join(folder, PROBE_REPORT), JSON.stringify(whole));
}

/** Writes a file that isn't there yet, whole; one that is there stays. */
async function keepFirst(path: string, text: string): Promise<void> {
  const own = `${path}.${randomUUID()}`;
  await writeFile(own, text, { mode: 0o600 });
  try {
    await link(own, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await unlink(own);
  }
}

/** Whole or not at all: the gates and the report read it while it is written. */
export async function replace(path: string, text: string): Promise<void> {
  await writeFile(`${path}.${process.pid}.partial`, text, { mode: 0o600 });
  await rename(`${path}.${process.pid}.partial`, path);
}

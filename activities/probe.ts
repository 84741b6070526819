import { existsSync } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RolloutError } from '../model/failures.js';
import type { LedgerResult, ProbeReport } from '../model/evidence.js';
import { SLOTS, slotCount, type ShardView } from '../model/topology.js';
import type { EvidenceActivities } from '../model/work.js';
import type { Endpoint } from '../redis/connection.js';
import { startProbe } from '../redis/probe/process.js';
import { readBackLedger, removeProbeKeys } from '../redis/probe/read-back.js';
import { readTopology } from '../redis/topology.js';
import { contextFor, heartbeating } from './context.js';
import type { Dependencies } from './dependencies.js';
import { RECENT } from './observe.js';

const PROBE_FOLDER = 'probe';
export const PROBE_REPORT = 'probe-report.json';
const LEDGER = 'ledger.json';
/** How often a report of the running operation gets new figures, ms. */
const REPORT_EVERY_MS = 5000;

export function probeActivities(dependencies: Dependencies): Pick<EvidenceActivities, 'runProbe' | 'readLedger'> {
  return {
    runProbe: (input) =>
      heartbeating(async () => {
        const { deployment, endpoint, folder, signal } = await contextFor(dependencies, input);
        const { policy, seeds } = deployment;
        if (!policy.probe.enabled) return;
        const shards = await wholeCluster(endpoint, seeds);
        const write = (name: string, content: unknown): Promise<void> =>
          replace(join(folder, name), JSON.stringify(content));
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
          await write(RECENT, { at: Date.now(), recent: probe.recent() });
          if (performance.now() > due) {
            await write(PROBE_REPORT, await probe.report());
            due = performance.now() + REPORT_EVERY_MS;
          }
          await sleep(1000, undefined, { signal }).catch(() => undefined);
        }
        await write(PROBE_REPORT, await probe.stop());
        signal.throwIfAborted();
      }),

    readLedger: (input) =>
      heartbeating(async (progress) => {
        const { deployment, endpoint, folder } = await contextFor(dependencies, input);
        const ledger = { seeds: deployment.seeds, endpoint, folder: join(folder, PROBE_FOLDER), onProgress: progress };
        if (!existsSync(ledger.folder)) return undefined;
        const file = join(folder, LEDGER);
        // Read before its keys are removed, and never again after: a second attempt would find them all lost.
        const known = await readFile(file, 'utf8').catch(() => undefined);
        const result = known === undefined ? await readBackLedger(ledger) : (JSON.parse(known) as LedgerResult);
        if (known === undefined) await replace(file, JSON.stringify(result));
        // What is left of a lost write is evidence.
        if (result.lost === 0) await removeProbeKeys(ledger);
        const report = await readFile(join(folder, PROBE_REPORT), 'utf8').catch(() => undefined);
        if (report !== undefined)
          await replace(
            join(folder, PROBE_REPORT),
            JSON.stringify({ ...(JSON.parse(report) as ProbeReport), ledger: result }),
          );
        return result;
      }),
  };
}

/**
 * The shards as they are measured from now on: what is missing here would never be measured.
 *
 * @throws RolloutError Unreachable, for another try, while a slot has no primary that can be read
 */
export async function wholeCluster(endpoint: Endpoint, seeds: readonly string[]): Promise<ShardView[]> {
  const { shards, disagreements } = await readTopology(endpoint, seeds);
  const covered = slotCount(shards.flatMap(({ slots }) => slots));
  if (covered === SLOTS) return shards;
  throw new RolloutError(
    'Unreachable',
    `the probe begins when every slot has a primary that can be read, found ${covered} of ${SLOTS} slots: ${disagreements.slice(0, 3).join('; ')}`,
  );
}

/** Whole or not at all: the gates and the report read it while it is written. */
async function replace(path: string, text: string): Promise<void> {
  await writeFile(`${path}.partial`, text, { mode: 0o600 });
  await rename(`${path}.partial`, path);
}

import { BackupStore } from '../integrations/backup-store.js';
import { DrillRecords } from '../integrations/drill-records.js';
import type { BackupManifest, SealedShard } from '../model/backup-manifest.js';
import { checksOf } from '../model/checks.js';
import { objectiveStep, passed, type DrillRecord, type DrillStep } from '../model/drill.js';
import { RolloutError } from '../model/failures.js';
import type { DrillActivities, Order } from '../model/work.js';
import { compareWithTarget } from '../redis/restore/compare.js';
import { loadSnapshot } from '../redis/restore/load.js';
import { oldestFirst } from './assess-fallback.js';
import { holdBackup } from './backup-users.js';
import { contextFor, heartbeating, type Context } from './context.js';
import type { Dependencies } from './dependencies.js';
import { runCheck } from './run-check.js';
import { primaryDies, shardIsLost } from './drill-failures.js';
import { ScratchCluster } from './scratch-cluster.js';
import { serverFor } from './server-for.js';

/** Of a node timeout: how long an election may take before a drill calls it failed. */
const PATIENCE = 4;
const LEAST_PATIENCE_MS = 30_000;

/** A disaster, rehearsed on servers of the worker's machine: no node of the deployment is touched. */
export function drillActivities(dependencies: Dependencies): DrillActivities {
  return {
    // In one: the scratch cluster ends with the attempt that has started it, and another attempt begins anew.
    rehearseRecovery: (input) =>
      heartbeating(async (progress) => {
        const context = await contextFor(dependencies, input);
        return new Rehearsal(context, input, progress).run();
      }),

    recordDrill: (input) =>
      heartbeating(async () => {
        const { deployment } = await contextFor(dependencies, input);
        await (await DrillRecords.open(deployment)).put(input.record);
      }),
  };
}

type About = Order & { drill: string; backup: string; startedBy: string; startedAt: string };

class Rehearsal {
  readonly #steps: DrillStep[] = [];

  constructor(
    private readonly context: Context,
    private readonly about: About,
    private readonly progress: (details: unknown) => void,
  ) {}

  async run(): Promise<DrillRecord> {
    const { deployment, signal } = this.context;
    const { drill: id, backup, startedBy, startedAt } = this.about;
    const { objectives, nodeTimeout, failures } = deployment.drill;
    const store = await BackupStore.open(deployment);
    const keys = await store.keys();
    await holdBackup(deployment, backup);
    const { shards } = await store.manifest(backup);
    const server = await serverOf(shards, deployment.platform.servers);
    const open = (shard: SealedShard) => store.getShard(backup, shard, keys);
    const begun = performance.now();
    let restoredMs: number | undefined;
    let restoredKeys = 0;

    await using cluster = await ScratchCluster.start({ ...server, shards, nodeTimeout, signal });
    const target = { endpoint: cluster.endpoint, seeds: cluster.addresses, signal };
    const load = async (shard: SealedShard): Promise<number> => {
      const { written } = await loadSnapshot({
        ...{ ...target, existing: 'replace', functions: true },
        source: { open: () => open(shard), sameOrder: true },
        onProgress: ({ read }) =>
          this.#show(`${shard.shard}: ${read.toLocaleString('en')} of ${shard.keys.toLocaleString('en')} keys`),
      });
      return written;
    };

    await this.#step('restore', async () => {
      for (const shard of shards) restoredKeys += await load(shard);
      await cluster.formed();
      restoredMs = Math.round(performance.now() - begun);
      return { result: 'passed', found: `${restoredKeys.toLocaleString('en')} keys of ${shards.length} shards` };
    });
    const restored = restoredMs !== undefined;
    const onceRestored = (name: string, act: () => Promise<Tried>): Promise<void> =>
      this.#step(name, async () => (restored ? await act() : { result: 'skipped', found: 'nothing was restored' }));

    await onceRestored(
      'verify',
      async () => await compared(shards, (shard) => compareWithTarget({ ...target, snapshot: open(shard) })),
    );
    const nodes = cluster.addresses;
    for (const check of restored ? checksOf(deployment.checks, 'drill') : []) {
      const name = `check ${check.name}`;
      this.#show(name);
      const { result, tookMs, found } = await runCheck(check, { endpoint: cluster.endpoint, nodes, signal });
      this.#steps.push({ name, result, tookMs, found });
    }
    const [first, last] = [shards[0], shards.at(-1)];
    if (failures && first && last) {
      const patienceMs = Math.max(LEAST_PATIENCE_MS, PATIENCE * nodeTimeout);
      await onceRestored('a primary dies', () => primaryDies(cluster, first, patienceMs));
      await onceRestored('a shard is lost', () => shardIsLost(cluster, last, () => load(last)));
    }
    const recoveryPointMs = Math.max(
      0,
      Date.parse(startedAt) - Math.min(...shards.map(({ cutAt }) => Date.parse(cutAt))),
    );
    this.#steps.push(
      objectiveStep('recovery time', restoredMs, objectives.recoveryTime),
      objectiveStep('recovery point', recoveryPointMs, objectives.recoveryPoint),
    );
    return {
      ...{ format: 1, drill: id, deployment: deployment.name, backup, startedBy, startedAt },
      ...{ endedAt: new Date().toISOString(), release: server.release, shards: shards.length, keys: restoredKeys },
      ...(restoredMs === undefined ? {} : { recoveryTime: measured(restoredMs, objectives.recoveryTime) }),
      recoveryPoint: measured(recoveryPointMs, objectives.recoveryPoint),
      ...{ steps: this.#steps, passed: passed(this.#steps) },
    };
  }

  /** What it finds wrong is in the record; only what another attempt may mend ends the attempt. */
  async #step(name: string, act: () => Promise<Tried>): Promise<void> {
    this.#show(name);
    const begun = performance.now();
    const ended = (tried: Tried): void => {
      this.#steps.push({ name, tookMs: Math.round(performance.now() - begun), ...tried });
    };
    try {
      ended(await act());
    } catch (error) {
      this.context.signal.throwIfAborted();
      if (!(error instanceof RolloutError) || isOfTheStore(error)) throw error;
      ended({ result: 'failed', found: `${error.type}: ${error.message}` });
    }
  }

  #show(doing: string): void {
    this.progress({ doing, steps: this.#steps.map(({ name, result }) => ({ name, result })) });
  }
}

type Tried = Omit<DrillStep, 'name' | 'tookMs'>;

/** The target may be away for some minutes; that says nothing of the backup. */
const isOfTheStore = ({ type }: RolloutError): boolean => type === 'Unreachable' || type === 'Unauthorized';

const measured = (ms: number, objectiveMs: number | undefined) => ({
  ms,
  ...(objectiveMs === undefined ? {} : { objectiveMs }),
});

async function compared(
  shards: readonly SealedShard[],
  compare: (shard: SealedShard) => ReturnType<typeof compareWithTarget>,
): Promise<Tried> {
  const all = { compared: 0, bad: [] as string[] };
  for (const shard of shards) {
    const { compared, different, missing, examples } = await compare(shard);
    all.compared += compared;
    if (different + missing > 0)
      all.bad.push(
        `${shard.shard}: ${different} keys differ and ${missing} are missing (${examples.slice(0, 3).join(', ')})`,
      );
  }
  return all.bad.length > 0
    ? { result: 'failed', found: all.bad.join('; ') }
    : { result: 'passed', found: `${all.compared.toLocaleString('en')} keys compared with the backup, 0 different` };
}

/** One for all of them: a cluster is of one release. @throws RolloutError MissingServer */
async function serverOf(
  shards: BackupManifest['shards'],
  named: Readonly<Record<string, string>>,
): Promise<{ release: string; program: string }> {
  const newest = oldestFirst(shards.flatMap(({ release }) => release ?? [])).at(-1);
  const server = await serverFor(newest, named);
  if (server) return server;
  throw new RolloutError(
    'MissingServer',
    `no server of ${newest ?? 'the release of the backup'} is here to restore it into: npm run setup, or platform.servers`,
  );
}

import { ArchiveStore } from '../integrations/archive-store.js';
import { BackupStore } from '../integrations/backup-store.js';
import type { SealedShard } from '../model/backup-manifest.js';
import { checksOf } from '../model/checks.js';
import { objectiveStep, passed, type DrillBeat, type DrillRecord, type DrillStep } from '../model/drill.js';
import { scratchShards } from '../model/drill-part.js';
import { RolloutError } from '../model/failures.js';
import { firstCut } from '../model/recovery.js';
import type { DrillActivities } from '../model/backup-work.js';
import { compareWithTarget } from '../redis/restore/compare.js';
import { loadSnapshot } from '../redis/restore/load.js';
import { selects } from '../redis/restore/selection.js';
import { holdBackup } from './backup-users.js';
import type { Context } from './context.js';
import { primaryDies, shardIsLost } from './drill-failures.js';
import { expectRoom, isOfTheStore } from './drill-room.js';
import { runCheck } from './run-check.js';
import { ScratchCluster } from './scratch-cluster.js';
import { serverForAll } from './server-for.js';
import { releasesUpTo, snapshotAt, type SnapshotAt } from './snapshot-at.js';

/** Of a node timeout: how long an election may take before a drill calls it failed. */
const PATIENCE = 4;
const LEAST_PATIENCE_MS = 30_000;

type About = Parameters<DrillActivities['rehearseRecovery']>[0];
type Tried = Omit<DrillStep, 'name' | 'tookMs'>;

/** One attempt at a drill: the cluster ends with it, and another begins anew. */
export class DrillAttempt {
  readonly #steps: DrillStep[] = [];

  constructor(
    private readonly context: Context,
    private readonly about: About,
    private readonly progress: (details: unknown) => void,
  ) {}

  /** @throws RolloutError where it can't be held: NoMemory, NoSpace, MissingServer, StartFailed; Unreachable, Unauthorized */
  async run(): Promise<DrillRecord> {
    const { deployment, signal } = this.context;
    const { drill: id, backup, point, part, startedBy, startedAt } = this.about;
    const { objectives, nodeTimeout, failures, memory: most } = deployment.drill;
    const { all, shards, sealed, open, releases } = await this.#sources();
    const server = await serverForAll(releases, deployment.platform.servers, 'to restore it into');
    const layout = scratchShards(all, part);
    const memory = await expectRoom({ shards, part, cluster: layout, release: server.release, most, open: sealed });
    const begun = performance.now();
    let restoredMs: number | undefined;
    let restoredKeys = 0;

    await using cluster = await ScratchCluster.start({ ...server, shards: layout, nodeTimeout, signal });
    const meant = part?.slots ? { selects: selects({ slots: part.slots }) } : {};
    const target = { endpoint: cluster.endpoint, seeds: cluster.addresses, signal, ...meant };
    const load = async (shard: SealedShard): Promise<number> => {
      const { written } = await loadSnapshot({
        ...{ ...target, existing: 'replace', functions: true },
        source: { open: () => open(shard), sameOrder: point === undefined },
        onProgress: ({ read }) =>
          this.#show(`${shard.shard}: ${read.toLocaleString('en')} of ${shard.keys.toLocaleString('en')} keys`),
      });
      return written;
    };

    await this.#step('restore', async () => {
      for (const shard of shards) restoredKeys += await load(shard);
      await cluster.formed();
      restoredMs = Math.round(performance.now() - begun);
      return { result: 'passed', found: `${restoredKeys.toLocaleString('en')} keys of ${countOf(shards.length)}` };
    });
    const restored = restoredMs !== undefined;
    const onceRestored = (name: string, act: () => Promise<Tried>): Promise<void> =>
      this.#step(name, async () => (restored ? await act() : { result: 'skipped', found: 'nothing was restored' }));

    await onceRestored('verify', () =>
      compared(shards, point ? 'point' : 'backup', (shard) => compareWithTarget({ ...target, snapshot: open(shard) })),
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
    // Of a drill that an earlier worker planned, which knew backups only.
    const { ms: recoveryPointMs, ...reach } = this.about.recoveryPoint ?? {
      ms: Math.max(0, Date.parse(startedAt) - firstCut({ shards: all })),
    };
    this.#steps.push(
      objectiveStep('recovery time', restoredMs, objectives.recoveryTime, { part: part !== undefined }),
      objectiveStep('recovery point', recoveryPointMs, objectives.recoveryPoint),
    );
    return {
      ...{ format: 1, drill: id, deployment: deployment.name, backup, startedBy, startedAt },
      ...(point ? { point: { asked: point.asked, shards: ofThem(point.shards, shards) } } : {}),
      ...(part ? { part } : {}),
      ...{ endedAt: new Date().toISOString(), release: server.release, shards: shards.length, keys: restoredKeys },
      ...(restoredMs === undefined ? {} : { recoveryTime: measured(restoredMs, objectives.recoveryTime) }),
      recoveryPoint: { ...measured(recoveryPointMs, objectives.recoveryPoint), ...reach },
      ...{ memory, steps: this.#steps, passed: passed(this.#steps) },
    };
  }

  /** The shards of the backup, those that are restored, and where the snapshot of each comes from. */
  async #sources() {
    const { deployment, signal } = this.context;
    const { backup, point, part } = this.about;
    const backups = await BackupStore.open(deployment);
    const keys = await backups.keys();
    await holdBackup(deployment, backup);
    const { shards: all } = await backups.manifest(backup);
    const shards = part ? all.filter(({ shard }) => part.shards.includes(shard)) : all;
    const sealed = (shard: SealedShard) => backups.getShard(backup, shard, keys);
    if (!point) return { all, shards, sealed, open: sealed, releases: shards.flatMap(({ release }) => release ?? []) };
    const archive = await ArchiveStore.open(deployment);
    const at = (shard: SealedShard): SnapshotAt => {
      const offset = point.shards.find((it) => it.shard === shard.shard)?.offset;
      if (offset === undefined) throw new RolloutError('BadInput', `the point has no ${shard.shard}`);
      const { servers } = deployment.platform;
      const onProgress: SnapshotAt['onProgress'] = ({ doing, bytes }) =>
        this.#show(`${shard.shard}: ${doing}, ${bytes.toLocaleString('en')} bytes`);
      return { backups, archive, keys, backup, shard, offset, servers, onProgress, signal };
    };
    const releases = (await Promise.all(shards.map((shard) => releasesUpTo(at(shard))))).flat();
    return { all, shards, sealed, open: (shard: SealedShard) => snapshotAt(at(shard)), releases };
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
    const steps = this.#steps.map(({ name, result }) => ({ name, result }));
    this.progress({ doing, steps } satisfies DrillBeat);
  }
}

const countOf = (shards: number): string => `${shards} ${shards === 1 ? 'shard' : 'shards'}`;

const ofThem = <Of extends { shard: string }>(all: readonly Of[], chosen: readonly { shard: string }[]): Of[] =>
  all.filter((it) => chosen.some(({ shard }) => shard === it.shard));

const measured = (ms: number, objectiveMs: number | undefined) => ({
  ms,
  ...(objectiveMs === undefined ? {} : { objectiveMs }),
});

async function compared(
  shards: readonly SealedShard[],
  what: string,
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
    : { result: 'passed', found: `${all.compared.toLocaleString('en')} keys compared with the ${what}, 0 different` };
}

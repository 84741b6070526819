import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AssessmentRecords } from '../integrations/assessment-records.js';
import { BackupStore, type BackupEntry } from '../integrations/backup-store.js';
import { findEngine } from '../integrations/container.js';
import { StagingRecords } from '../integrations/staging-records.js';
import { checksOf } from '../model/checks.js';
import { explainRefusal } from '../model/compatibility/upgrade-path.js';
import { RolloutError } from '../model/failures.js';
import type { Deployment } from '../model/deployment.js';
import type { LoadShape } from '../model/load-shape.js';
import { copyName } from '../model/names.js';
import { signOffOf } from '../model/staging.js';
import { loadToPlay } from '../model/staging-load.js';
import { lacksRoom } from '../model/staging-room.js';
import type { StagingActivities } from '../model/staging-work.js';
import { overlap, slotCount, SLOTS, type ShardView, type SlotRange } from '../model/topology.js';
import type { PlatformNode } from '../platforms/platform.js';
import { readConfiguration } from '../redis/configuration.js';
import { readTopology } from '../redis/topology.js';
import { exactTarget } from './assess.js';
import { contextFor, heartbeating, platformNode, type Context } from './context.js';
import type { Dependencies } from './dependencies.js';
import { copyContext } from './staging-copy.js';
import { placeOfStandby, readRegistry } from './standby-registry.js';
import {
  configurationOf,
  drawSite,
  expectOurs,
  forgetSite,
  passwordOf,
  readSite,
  writeCopyFile,
  type CopyNode,
} from './staging-site.js';
import { stillSlots } from './sealed-backup.js';

/** Longest that the nodes of a copy may take to see each other, ms. */
const FORMED_MS = 60_000;
const everySlot: readonly SlotRange[] = [[0, SLOTS - 1]];

/** The copy of a deployment: found room for, made, and taken away again. */
export function stagingActivities(
  dependencies: Dependencies,
): Pick<
  StagingActivities,
  'beginStaging' | 'makeCopy' | 'configureCopy' | 'removeCopy' | 'recordStaging' | 'readSignOff'
> {
  const { deployments } = dependencies;
  return {
    beginStaging: (input) =>
      heartbeating(async () => {
        const context = await contextFor(dependencies, input);
        const { deployment } = context;
        const store = await BackupStore.open(deployment);
        await store.keys();
        await expectOurs(deployment.name, deployments);
        const { manifest } = await provenBackup(store, input.backup);
        const live = await stillSlots(context, 'what is rehearsed would be of another cluster');
        const releases = new Set(live.map(({ primary }) => primary.release));
        const [release = '', other] = [...releases];
        if (other !== undefined)
          throw new RolloutError(
            'Degraded',
            `${deployment.name} runs ${[...releases].join(' and ')}: an upgrade of it is under way, which a copy can't begin with`,
          );
        const [to = '', ...back] = (
          await Promise.all([...input.via, input.to].map((stop) => exactTarget(context, stop)))
        ).reverse();
        const via = back.reverse();
        const refusal = explainRefusal(deployment.name, release, to, via);
        if (refusal !== undefined) throw new RolloutError('BadTarget', refusal);
        // Of what runs, another patch of the line will not do: it would be another upgrade that is rehearsed.
        await exactTarget(context, release);
        await mustHaveRoom(context, live, input.slots ?? everySlot);
        await mustRunContainers(deployment);
        const { backup, startedAt, shards } = manifest;
        const meant = shards.filter(({ slots }) => overlap(slots, input.slots ?? everySlot) > 0);
        const { roles, approvals, people, ttlTolerance } = deployment.policy;
        return {
          ...{ backup, takenAt: startedAt, release, to, via, searchable: dependencies.searchable },
          shards: meant.map(({ shard, keys }) => ({ shard, keys })),
          checks: [...checksOf(deployment.checks, 'staging'), ...deployment.staging.checks].map(({ name }) => name),
          ...{ staging: deployment.staging, policy: { roles, approvals, people, ttlTolerance } },
          load: loadToPlay(deployment.staging.load, await observedLoad(deployment), Date.now()),
        };
      }),

    makeCopy: (input) =>
      heartbeating(async (progress) => {
        const context = await contextFor(dependencies, input);
        const { deployment, platform, token } = context;
        let site = await readSite(deployment);
        if (site && site.staging !== input.staging) {
          progress('taking away the copy of an earlier rehearsal');
          await takeAway(context, dependencies);
          site = undefined;
        }
        const { shards } = await (await BackupStore.open(deployment)).manifest(input.backup);
        const { staging, release } = input;
        site ??= await drawSite(deployment, { staging, release, shards });
        const { shards: live, nodeTimeoutMs } = await readTopology(context.endpoint, deployment.seeds);
        await using primary = await context.connect(live[0]?.primary.address ?? deployment.seeds[0] ?? '');
        const { running } = await readConfiguration(primary);
        const password = await passwordOf(deployment);
        for (const node of site.nodes) {
          progress(`starting ${node.address}`);
          await platform.create(nodeOf(node), token, {
            release,
            configuration: configurationOf(node, { running, password, nodeTimeoutMs }),
            // Only at first: the server writes it from then on.
            files:
              (await platform.inspect(nodeOf(node)).catch(() => undefined))?.release === undefined
                ? [{ path: join(node.home, 'nodes.conf'), text: node.cluster }]
                : [],
            arguments: [],
          });
        }
        const seeds = site.nodes.map(({ address }) => address);
        await writeCopyFile(deployment, { deployments, seeds, soak: false });
        await formed(dependencies, input, progress);
        return { nodes: seeds.length, seeds };
      }),

    configureCopy: (input) =>
      heartbeating(async () => {
        const { deployment } = await contextFor(dependencies, input);
        const site = await readSite(deployment);
        const seeds = site?.nodes.map(({ address }) => address) ?? [];
        await writeCopyFile(deployment, { deployments, seeds, soak: input.soak });
      }),

    removeCopy: (input) => heartbeating(async () => takeAway(await contextFor(dependencies, input), dependencies)),

    recordStaging: (input) =>
      heartbeating(async () => {
        const { deployment } = await contextFor(dependencies, input);
        await (await StagingRecords.open(deployment)).put(input.record);
      }),

    readSignOff: (input) =>
      heartbeating(async () => {
        const { deployment } = await contextFor(dependencies, input);
        const records = await (await StagingRecords.open(deployment)).newest(RECORDS);
        const whole = records.filter((it) => 'format' in it);
        const { name, staging } = deployment;
        const of = { deployment: name, from: input.from, to: input.to };
        return signOffOf(whole, { ...of, validForMs: staging.validFor, now: Date.now() });
      }),
  };
}

/** Assessments of the past that are looked at for one that was observed over time. */
const ASSESSMENTS = 20;

async function observedLoad(deployment: Deployment): Promise<{ at: string; load: LoadShape } | undefined> {
  if (deployment.staging.load) return undefined;
  const records = await (await AssessmentRecords.open(deployment)).newest(ASSESSMENTS);
  return records.flatMap(({ at, load }) => (load ? [{ at, load }] : [])).at(-1);
}

/** Rehearsals of the past that are looked at. */
const RECORDS = 50;

/** The one that is named, where it can be relied on; else the newest that servers have loaded. */
async function provenBackup(store: BackupStore, asked: string | undefined): Promise<BackupEntry> {
  const entries = (await store.all()).filter((it): it is BackupEntry => 'manifest' in it);
  const named = entries.find(({ manifest }) => manifest.backup === asked);
  if (asked !== undefined && named?.verdict?.result !== 'damaged' && named) return named;
  const proven = entries.find(({ verdict }) => verdict?.result === 'restored');
  if (asked === undefined && proven) return proven;
  throw new RolloutError(
    'BadInput',
    asked === undefined
      ? `no backup in ${store.name} was proven yet, and a copy of an unproven one would rehearse nothing: rollout backup verify, or name one with --backup`
      : `there is no backup ${asked} in ${store.name} that could be relied on`,
  );
}

/** @throws RolloutError NoMemory, before anything is made */
async function mustHaveRoom(
  { deployment, platform, folder }: Context,
  live: readonly ShardView[],
  slots: readonly SlotRange[],
): Promise<void> {
  const { memoryFree } = await platform.resources({ address: 'the copy', home: folder, configurationFile: '' });
  const lacks = lacksRoom(
    {
      ...{ name: deployment.name, replicas: deployment.staging.replicas },
      shards: live.map(({ primary }) => primary.usedMemoryBytes),
      share: overlap(everySlot, slots) / SLOTS,
    },
    memoryFree,
  );
  if (lacks !== undefined) throw new RolloutError('NoMemory', lacks);
}

/** Found out now, and not when its turn comes, hours later. */
async function mustRunContainers({ name, staging }: Deployment): Promise<void> {
  const check = staging.checks.find(({ kind }) => kind === 'container');
  const { lacking } = check ? await findEngine() : {};
  if (lacking !== undefined)
    throw new RolloutError(
      'BadInput',
      `staging.checks of ${name}: ${check?.name ?? ''} is a container, and ${lacking}`,
    );
}

const nodeOf = ({ address, home }: CopyNode): PlatformNode => ({
  ...{ address, home },
  configurationFile: join(home, 'redis.conf'),
  logFile: join(home, 'redis.log'),
});

/** Returns once every node sees the others, and every replica is linked. */
async function formed(
  dependencies: Dependencies,
  input: { deployment: string; operation: string },
  progress: (details: unknown) => void,
): Promise<void> {
  const { endpoint, deployment, signal } = await copyContext(dependencies, input);
  let doubt = 'no node has answered yet';
  for (const deadline = Date.now() + FORMED_MS; Date.now() < deadline;) {
    signal.throwIfAborted();
    try {
      const { shards, disagreements } = await readTopology(endpoint, deployment.seeds);
      const down = shards.flatMap(({ replicas }) => replicas.filter(({ replication }) => replication?.link !== 'up'));
      const covered = slotCount(shards.flatMap(({ slots }) => slots));
      if (disagreements.length === 0 && down.length === 0 && covered === SLOTS) return;
      doubt = disagreements[0] ?? (down[0] ? `${down[0].address} is not linked yet` : `${covered} slots are served`);
    } catch (error) {
      if (!(error instanceof RolloutError) || !error.retryable) throw error;
      doubt = error.message;
    }
    progress(doubt);
    await sleep(200, undefined, { signal });
  }
  throw new RolloutError('StartFailed', `the copy's nodes don't see each other after ${FORMED_MS / 1000} s: ${doubt}`);
}

/** Standbys first, which the registry of the copy knows; then its nodes, its files, and its deployment file last. */
async function takeAway(context: Context, { deployments, state }: Dependencies): Promise<void> {
  const { deployment, platform, token } = context;
  await expectOurs(deployment.name, deployments);
  const folder = join(state, copyName(deployment.name));
  for (const entry of await readRegistry(folder)) await platform.remove(platformNode(placeOfStandby(entry)), token);
  for (const node of (await readSite(deployment))?.nodes ?? []) await platform.remove(nodeOf(node), token);
  // What outlives operations; the folders in it are those operations', and their reports stay.
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => []))
    if (entry.isFile()) await rm(join(folder, entry.name), { force: true });
  await forgetSite(deployment, deployments);
}

import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Client } from '@temporalio/client';
import type { DeploymentFile } from '../../model/deployment.js';
import { operationId, TASK_QUEUE } from '../../model/names.js';
import { assumedShape } from '../../model/load-shape.js';
import { connectTemporal } from '../../workers/client.js';
import { findChildren, OperationReader } from '../../workers/read-operation.js';
import { createWorker } from '../../workers/worker.js';
import { Sandbox, until } from '../sandbox/cluster.js';
import { startTemporal } from '../setup/temporal.js';
import { project, recorded, type History } from './recorded.js';
import { NAME, scenes, type Scene } from './scenes.js';
import { unsteered } from './unsteered-scenes.js';

const historiesFolder = join(project, 'test', 'replay', 'histories');

/** File of the key that seals its backups. */
const KEY = 'backup.key';
const people = { engineering: ['ana', 'ben'], operations: ['olu'] };

/**
 * Runs real upgrades of a throwaway cluster and writes the history of each workflow to test/replay/histories, in the
 * place of those that lie there. Takes some minutes.
 *
 * @param names of scenes; those of others stay as they are (default: all)
 * @returns what it wrote
 * @throws Error naming the scenes that there are, where one is asked for that is none
 */
export async function recordHistories(names: readonly string[], tell: (line: string) => void): Promise<string[]> {
  const known = [...scenes.map(({ name }) => name), ...Object.keys(unsteered)];
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`${unknown} is no scene: expected ${known.join(', ')}`);
  const isChosen = (name: string): boolean => names.length === 0 || names.includes(name);
  const root = await mkdtemp(join(tmpdir(), 'redis-rollout-record-'));
  const undo: (() => Promise<void>)[] = [() => rm(root, { recursive: true, force: true, maxRetries: 5 })];
  const histories = new Map<string, string>();
  try {
    const temporal = await startTemporal();
    undo.push(() => temporal.stop());
    process.env['TEMPORAL_ADDRESS'] = temporal.address;
    const cluster = await Sandbox.cluster({ release: '5.0.6' });
    undo.push(() => cluster.stop());
    const deployments = join(root, 'deployments');
    await mkdir(deployments);
    const worker = await createWorker({ deployments, state: join(root, 'state') });
    const running = worker.run();
    undo.push(async () => {
      worker.worker.shutdown();
      await running;
    });
    await using access = await connectTemporal();
    const keep = (scene: string, all: readonly (readonly [string, History])[]): void => {
      for (const [id, history] of all) {
        histories.set(`${scene}.${id}.json.gz`, recorded(history));
        tell(`  ${id}: ${history.events?.length ?? 0} events`);
      }
    };
    await writeFile(join(root, KEY), randomBytes(32).toString('hex'), { mode: 0o600 });
    const deploy = (policy: DeploymentFile['policy'], more: Scene['more'] = {}): Promise<void> =>
      writeFile(join(deployments, `${NAME}.yaml`), JSON.stringify({ ...deployment(cluster, root, policy), ...more }));
    for (const scene of scenes.filter(({ name }) => isChosen(name))) {
      tell(`${scene.name}: to ${scene.to}`);
      await deploy(scene.policy, scene.more);
      keep(scene.name, await play(access.client, scene, (policy) => deploy(policy, scene.more)));
    }
    for (const [name, playIt] of Object.entries(unsteered).filter(([it]) => isChosen(it))) {
      tell(name);
      await deploy({});
      keep(name, await playIt(access.client, deployments));
    }
  } finally {
    for (const step of undo.reverse()) await step();
  }
  await mkdir(historiesFolder, { recursive: true });
  for (const file of await readdir(historiesFolder))
    if (names.length === 0 || names.some((name) => file.startsWith(`${name}.`))) await rm(join(historiesFolder, file));
  for (const [name, text] of histories) await writeFile(join(historiesFolder, name), gzipSync(text, { level: 9 }));
  return [...histories.keys()].map((name) => join(historiesFolder, name));
}

/** One operation to its end; the histories of its family by the last part of their ids. */
async function play(
  { workflow }: Client,
  scene: Scene,
  deploy: (policy: DeploymentFile['policy']) => Promise<void>,
): Promise<[string, History][]> {
  const root = operationId(NAME);
  const handle = await workflow.start('upgrade', {
    workflowId: root,
    taskQueue: TASK_QUEUE,
    args: [{ deployment: NAME, to: scene.to, startedBy: 'cleo' }],
  });
  const run = { workflowId: root, runId: handle.firstExecutionRunId };
  const reader = new OperationReader(workflow, run);
  await scene.people({
    async until(what, condition) {
      let { status } = await reader.read();
      await until(
        `${scene.name}: ${what}`,
        async () => {
          ({ status } = await reader.read());
          if (status.result !== undefined && !condition(status)) throw new Error(status.statement);
          return condition(status);
        },
        120_000,
      );
      return status;
    },
    update: (name, input) => handle.executeUpdate(name, { args: [input] }),
    signal: (name, input) => handle.signal(name, input),
    policy: deploy,
  });
  await handle.result();
  const family = [run, ...(await findChildren(workflow, run))];
  return Promise.all(
    family.map(async ({ workflowId, runId }): Promise<[string, History]> => [
      workflowId === root ? 'upgrade' : workflowId.slice(root.length + 1),
      await workflow.getHandle(workflowId, runId).fetchHistory(),
    ]),
  );
}

/** Soaks are seconds, and gates generous: this is about the order of things. */
function deployment(cluster: Sandbox, root: string, policy: DeploymentFile['policy']): DeploymentFile {
  return {
    name: NAME,
    topology: 'cluster',
    seeds: cluster.nodes.map((node) => node.address),
    platform: { kind: 'process' },
    drill: { nodeTimeout: '1500ms' },
    staging: {
      soak: '1s',
      benchmark: { rounds: 3, duration: '1s', warmUp: '0s', requests: 100 },
      load: { ...assumedShape, keys: { ...assumedShape.keys, count: 100 }, ratePerSecond: 100 },
    },
    backup: {
      directory: join(root, 'backups'),
      encryption: { key: `file:${join(root, KEY)}`, olderKeys: [] },
      schedule: {},
      retention: { hourly: 0, daily: 1, weekly: 0, monthly: 0, atLeast: '1ms' },
    },
    policy: {
      canarySoak: '1s',
      soak: '2s',
      ttlTolerance: '10s',
      validation: {
        measure: '1s',
        latency: 1000,
        commandTime: 1000,
        throughput: 0,
        hitRate: 1,
        errorRate: 1,
        memory: 100,
      },
      roles: people,
      ...policy,
      gates: { maxLatency: '5s', maxErrorRate: 1, memoryHeadroom: 0, diskHeadroom: 0, ...policy?.gates },
    },
  };
}

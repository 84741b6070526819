import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { lossOf } from '../../../activities/lost-standby.js';
import { freezeNow } from '../../../activities/standby-freeze.js';
import { standbysThatAre } from '../../../activities/standby-gone.js';
import { changeRegistry, noteStandby, type StandbyEntry } from '../../../activities/standby-registry.js';
import { sync } from '../../../activities/standby-sync.js';
import { processesIn, viewProcess } from '../../../platforms/process/processes.js';
import { at, connect } from '../../../redis/connection.js';
import { ownLine } from '../../../redis/standby/cluster-file.js';
import { freeze } from '../../../redis/standby/freeze.js';
import { followKey } from '../../../redis/standby/point.js';
import { Sandbox, until } from '../../../scripts/sandbox/cluster.js';
import { StandbyStage } from './stage.js';

const tell = (): void => undefined;

async function killed({ home }: StandbyEntry): Promise<void> {
  for (const { pid } of await processesIn(home, [])) process.kill(pid, 'SIGKILL');
  await until('it has ended', async () => (await processesIn(home, [])).length === 0);
}

test('a standby that dies: frozen and not saved, it is begun anew; saved, it is as it was', async () => {
  await using cluster = await Sandbox.cluster({ release: '7.0', primaries: 1 });
  await using stage = await StandbyStage.open(cluster);
  const step = { shard: 'shard-1', primary: stage.primary, tell };
  await cluster.ask(stage.primary, 'SET', 'k', 'before');
  const entry = await sync(await stage.attempt(), step);
  await killed(entry);
  expect(await sync(await stage.attempt(), step)).toEqual(entry);

  // As freezeNow does it, whose worker dies once the point is noted, and with it the standby.
  const nodeId = randomBytes(20).toString('hex');
  await noteStandby(stage.state, 'shard-1', { nodeId });
  const { ranges } = ownLine(String(await cluster.ask(stage.primary, 'CLUSTER', 'NODES')));
  {
    await using standby = await connect(at(cluster.endpoint(), entry.address));
    const point = await freeze(standby, { endpoint: {}, key: followKey(ranges), standby: nodeId });
    await noteStandby(stage.state, 'shard-1', point);
  }
  await killed(entry);
  await cluster.ask(stage.primary, 'SET', 'k', 'after');
  const { point } = await freezeNow(await stage.attempt(), step);
  const has = async (): Promise<unknown> => {
    await using standby = await connect(at(cluster.endpoint(), entry.address));
    return (await standby.pipeline([['ASKING'], ['GET', 'k']]))[1];
  };
  expect(await has()).toBe('after');
  await killed(entry);
  expect((await freezeNow(await stage.attempt(), step)).point).toEqual(point);
  expect(await has()).toBe('after');
}, 240_000);

test('a worker that has lost its state folder finds what an earlier one made, and begins anew', async () => {
  await using cluster = await Sandbox.cluster({ release: '5.0.6', primaries: 1 });
  await using stage = await StandbyStage.open(cluster);
  const step = { shard: 'shard-1', primary: stage.primary, tell };
  const { entry } = await freezeNow(await stage.attempt(), step);
  const [lost] = await stage.standbys();
  await rm(join(stage.state, 'standbys.json'));
  await cluster.ask(stage.primary, 'SET', 'k', 'since');
  const again = await freezeNow(await stage.attempt(), step);
  expect(again.entry.home).toBe(entry.home);
  const [found] = await stage.standbys();
  expect(found?.nodeId).not.toBe(lost?.nodeId);
  await using standby = await connect(at(cluster.endpoint(), again.entry.address));
  expect((await standby.pipeline([['ASKING'], ['GET', 'k']]))[1]).toBe('since');
  const nodes = String(await cluster.ask(stage.primary, 'CLUSTER', 'NODES'));
  expect(nodes).toContain(found?.nodeId);
  expect(nodes).not.toContain(lost?.nodeId);
}, 240_000);

test('no room for another dataset: it says what is needed, and nothing was made', async () => {
  await using cluster = await Sandbox.cluster({ release: '7.2', primaries: 1 });
  await using stage = await StandbyStage.open(cluster);
  const step = { shard: 'shard-1', primary: stage.primary, tell };
  const context = await stage.attempt();
  const scarce = (free: { memoryFree: number; diskFree: number }) => ({
    ...context,
    platform: {
      ...context.platform,
      resources: () => Promise.resolve({ ...free, memoryTotal: 1e12, diskTotal: 1e12 }),
    },
  });
  await expect(sync(scarce({ memoryFree: 1000, diskFree: 1e12 }), step)).rejects.toMatchObject({ type: 'NoMemory' });
  await expect(sync(scarce({ memoryFree: 1e12, diskFree: 1000 }), step)).rejects.toMatchObject({ type: 'NoSpace' });
  expect(await stage.standbys()).toEqual([]);
}, 120_000);

/** The one whom the stage has now, as the cluster and its own data say: it imports, and has what was written since. */
async function expectMadeAnew(stage: StandbyStage, lost: StandbyEntry, value: string): Promise<void> {
  const [found, ...others] = await stage.standbys();
  if (!found) throw new Error('expected a standby');
  expect(others).toEqual([]);
  expect(found).toMatchObject({ state: 'frozen', shard: 'shard-1' });
  expect(found.nodeId).not.toBe(lost.nodeId);
  await using standby = await connect(at(stage.cluster.endpoint(), found.address));
  expect((await standby.pipeline([['ASKING'], ['GET', 'k']]))[1]).toBe(value);
  const nodes = String(await stage.cluster.ask(stage.primary, 'CLUSTER', 'NODES'));
  expect(nodes).toContain(found.nodeId);
  expect(nodes).not.toContain(lost.nodeId);
}

test.each(['dead', 'running'])(
  'a standby whose folder was deleted, its server %s, is made anew, and nobody knows the old one',
  async (server) => {
    await using cluster = await Sandbox.cluster({ release: '7.0', primaries: 1 });
    await using stage = await StandbyStage.open(cluster);
    const step = { shard: 'shard-1', primary: stage.primary, tell };
    await freezeNow(await stage.attempt(), step);
    const [lost] = await stage.standbys();
    if (!lost) throw new Error('expected a standby');
    const pids = (await processesIn(lost.home, [])).map(({ pid }) => pid);
    if (server === 'dead') await killed(lost);
    await rm(lost.home, { recursive: true });
    await cluster.ask(stage.primary, 'SET', 'k', 'since');
    await freezeNow(await stage.attempt(), step);
    await expectMadeAnew(stage, lost, 'since');
    for (const pid of pids) await until('the old server has ended', async () => !(await stillThere(pid)));
  },
  240_000,
);

const stillThere = async (pid: number): Promise<boolean> => (await viewProcess(pid)) !== undefined;

test.each([false, true])(
  'a cluster that was made anew under the same name has its own; its node at the address: %s',
  async (taken) => {
    const first = await Sandbox.cluster({ release: '7.0', primaries: 1 });
    await using before = await StandbyStage.open(first);
    await freezeNow(await before.attempt(), { shard: 'shard-1', primary: before.primary, tell });
    // As a fallback that was never brought to its end has left it.
    await noteStandby(before.state, 'shard-1', { state: 'serving' });
    const [lost] = await before.standbys();
    if (!lost) throw new Error('expected a standby');
    await first.stop();

    await using cluster = await Sandbox.cluster({ release: '7.0', primaries: 1 });
    await using stage = await StandbyStage.open(cluster, before.state);
    const [, node] = cluster.nodes;
    if (taken) await changeRegistry(stage.state, (all) => all.map((it) => ({ ...it, address: node?.address ?? '' })));
    // What the next operation finds when it begins.
    expect(await standbysThatAre(await stage.attempt())).toEqual([]);
    await cluster.ask(stage.primary, 'SET', 'k', 'of the new one');
    await freezeNow(await stage.attempt(), { shard: 'shard-1', primary: stage.primary, tell });
    await expectMadeAnew(stage, lost, 'of the new one');
  },
  240_000,
);

test('one whose folder is gone and whose primary runs another release by now can’t be made again: it says so', async () => {
  await using cluster = await Sandbox.cluster({ release: '7.0', primaries: 1 });
  await using stage = await StandbyStage.open(cluster);
  const step = { shard: 'shard-1', primary: stage.primary, tell };
  await freezeNow(await stage.attempt(), step);
  await changeRegistry(stage.state, (entries) => entries.map((it) => ({ ...it, release: '6.2.14' })));
  const [lost] = await stage.standbys();
  if (!lost) throw new Error('expected a standby');
  const context = await stage.attempt();
  expect(await lossOf(context, lost, { address: stage.primary })).toBeUndefined();
  await killed(lost);
  await rm(lost.home, { recursive: true });
  const gone = `its folder ${lost.home} is not there any more, and nobody answers in its place`;
  expect(await lossOf(context, lost, { address: stage.primary })).toBe(gone);
  await expect(freezeNow(await stage.attempt(), step)).rejects.toMatchObject({
    type: 'StandbyLost',
    message: expect.stringContaining(gone) as string,
  });
  // It is known, and whoever asks for a fallback is to be told that it is lost.
  expect(await standbysThatAre(await stage.attempt())).toEqual([lost]);
}, 240_000);

import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freezeNow } from '../../../activities/standby-freeze.js';
import { noteStandby, type StandbyEntry } from '../../../activities/standby-registry.js';
import { sync } from '../../../activities/standby-sync.js';
import { processesIn } from '../../../platforms/process/processes.js';
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
}, 120_000);

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
}, 120_000);

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
}, 60_000);

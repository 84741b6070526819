// The disk fills up before a cutover: the standby would take the slots, fail to write its nodes.conf, and end without one.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { platformNode, type Context } from '../../../activities/context.js';
import { cutOverShard } from '../../../activities/cut-over.js';
import { placeOfStandby } from '../../../activities/standby-registry.js';
import { freezeNow } from '../../../activities/standby-freeze.js';
import { at } from '../../../redis/connection.js';
import { follow } from '../../../redis/follow/follow.js';
import { ownLine } from '../../../redis/standby/cluster-file.js';
import { Sandbox, until } from '../../../scripts/sandbox/cluster.js';
import { asActivity, StandbyStage } from './stage.js';

const RELEASE = '7.0.15';
const shard = 'shard-1';
let cluster: Sandbox;
let stage: StandbyStage;
beforeAll(async () => {
  cluster = await Sandbox.cluster({ release: RELEASE, primaries: 1 });
  stage = await StandbyStage.open(cluster);
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
  await cluster.stop();
});

const slotsOf = async (address: string): Promise<ReturnType<typeof ownLine>> =>
  ownLine(String(await cluster.ask(address, 'CLUSTER', 'NODES')));

test('it is refused with NoSpace before anything is done, and cuts over once there is room', async () => {
  const step = { shard, primary: stage.primary, tell: () => undefined };
  await cluster.ask(stage.primary, 'SET', 'k', 'v');
  const { entry } = await freezeNow(await stage.attempt(), step);
  const { ranges } = await slotsOf(stage.primary);
  const ending = new AbortController();
  const followed = follow({
    primary: () => Promise.resolve(at(cluster.endpoint(), stage.primary)),
    ...{ standby: at(cluster.endpoint(), entry.address), slots: ranges, source: RELEASE, target: RELEASE },
    signal: ending.signal,
  }).catch((error: unknown) => error);
  const cut = (diskFree?: number) =>
    asActivity(async () =>
      cutOverShard(withDisk(await stage.attempt(), entry.home, diskFree), {
        ...{ shard, primary: stage.primary, standby: entry.address },
      }),
    );

  const before = await stage.standbys();
  const refused = await cut(1024 ** 2).catch((error: unknown) => error as Error);
  expect(refused).toMatchObject({ type: 'NoSpace', retryable: true });
  expect((refused as Error).message).toContain(
    `${entry.address}, the standby of shard-1: 1.0 MB free on the disk of ${entry.home}, taking the slots needs 4.0 MB; nothing was done`,
  );
  expect(await stage.standbys()).toEqual(before);
  expect((await slotsOf(stage.primary)).ranges).toEqual(ranges);
  await cluster.ask(stage.primary, 'SET', 'k', 'still written');
  const { platform } = await stage.attempt();
  expect((await platform.inspect(platformNode(placeOfStandby(entry)))).state).toBe('running');

  expect(await cut()).toMatchObject({ to: entry.address, already: false });
  ending.abort(new Error('cut over'));
  await followed;
  await until('the standby serves', async () => (await slotsOf(entry.address)).ranges.length > 0);
  expect(await cluster.ask(entry.address, 'GET', 'k')).toBe('still written');
  // What an attempt before has taken is brought to its end, room or not.
  expect(await cut(0)).toMatchObject({ already: true });
}, 240_000);

/** As its platform would say of a disk that is so full. */
function withDisk(context: Context, home: string, diskFree: number | undefined): Context {
  if (diskFree === undefined) return context;
  const { platform } = context;
  const resources: typeof platform.resources = async (node) => ({
    ...(await platform.resources(node)),
    ...(node.home === home ? { diskFree } : {}),
  });
  return { ...context, platform: { ...platform, resources } };
}

// The clocks of a standby and of its primary differ as it is to be cut over to: keys would end before their time.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { cutOverShard } from '../../../activities/cut-over.js';
import { seeStandbys } from '../../../activities/see-standbys.js';
import { freezeNow } from '../../../activities/standby-freeze.js';
import { at } from '../../../redis/connection.js';
import { follow } from '../../../redis/follow/follow.js';
import { ownLine } from '../../../redis/standby/cluster-file.js';
import { serversWithClocks } from '../../../scripts/sandbox/clocks.js';
import { Sandbox, until } from '../../../scripts/sandbox/cluster.js';
import { asActivity, StandbyStage } from './stage.js';

const RELEASE = '7.0.15';
const shard = 'shard-1';

test('it is seen, the cutover is refused with nothing done, and done once the clock is right', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'redis-rollout-clocks-'));
  const servers = await serversWithClocks(folder, [RELEASE]);
  await using cluster = await Sandbox.cluster({ release: RELEASE, primaries: 1, servers });
  await using stage = await StandbyStage.open(cluster);
  const [node] = cluster.nodes;
  if (!node) throw new Error('expected a node');
  const primary = stage.primary;
  const { entry } = await freezeNow(await stage.attempt(), { shard, primary, tell: () => undefined });
  const { ranges } = ownLine(String(await cluster.ask(primary, 'CLUSTER', 'NODES')));
  const ending = new AbortController();
  const followed = follow({
    primary: () => Promise.resolve(at(cluster.endpoint(), primary)),
    ...{ standby: at(cluster.endpoint(), entry.address), slots: ranges, source: RELEASE, target: RELEASE },
    signal: ending.signal,
  }).catch((error: unknown) => error);
  const cut = () =>
    asActivity(async () => cutOverShard(await stage.attempt(), { shard, primary, standby: entry.address }));
  const setClock = async (text: string, ms: number): Promise<void> => {
    await writeFile(join(node.home, 'clock'), `${text}\n`);
    await until('the server has read its clock', async () => {
      const [seconds] = (await cluster.ask(primary, 'TIME')) as [string];
      return Math.abs(Number(seconds) * 1000 - Date.now() - ms) < 2000;
    });
  };
  try {
    await cluster.ask(primary, 'SET', 'session', 'mine', 'EX', 20);
    await setClock('-30s', -30_000);
    const [seen] = await seeStandbys(await stage.attempt(), [{ name: shard, primary: { address: primary } as never }]);
    expect((seen?.clock?.own.ms ?? 0) - (seen?.clock?.primary.ms ?? 0)).toBeGreaterThan(29_000);
    const refused = await cut().catch((error: unknown) => error as Error);
    expect(refused).toMatchObject({ type: 'HandoverFailed' });
    expect((refused as Error).message).toMatch(
      new RegExp(`the clock of ${entry.address} is .* ahead of ${primary}'s, and .* drops keys .* before their time`),
    );
    expect(ownLine(String(await cluster.ask(primary, 'CLUSTER', 'NODES'))).ranges).toEqual(ranges);
    await cluster.ask(primary, 'SET', 'session', 'still written', 'EX', 50);

    await setClock('+0', 0);
    expect(await cut()).toMatchObject({ to: entry.address });
    expect(await cluster.ask(entry.address, 'GET', 'session')).toBe('still written');
  } finally {
    ending.abort(new Error('over'));
    await followed;
    await rm(folder, { recursive: true, force: true });
  }
}, 240_000);

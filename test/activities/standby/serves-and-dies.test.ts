// A standby that serves its shard is killed, and started again on its own configuration file: it has what it acknowledged.
import { expect, test } from 'vitest';
import { cutOverShard } from '../../../activities/cut-over.js';
import { freezeNow } from '../../../activities/standby-freeze.js';
import { findServers } from '../../../platforms/process/servers.js';
import { processesIn } from '../../../platforms/process/processes.js';
import { at, connect } from '../../../redis/connection.js';
import { follow } from '../../../redis/follow/follow.js';
import { ownLine } from '../../../redis/standby/cluster-file.js';
import { Sandbox, spawnServer, until } from '../../../scripts/sandbox/cluster.js';
import { asActivity, StandbyStage } from './stage.js';

const shard = 'shard-1';

// With an append-only file nothing that was acknowledged is gone; with snapshots alone what came before the cutover is there.
test.each([
  ['6.2.14', ['appendonly yes', 'appendfsync no'], 'written after the cutover'],
  ['7.0.15', ['appendonly yes', 'appendfsync no'], 'written after the cutover'],
  ['7.0.15', ['save 3600 1000000'], 'written before the cutover'],
])(
  '%s with %j',
  async (release, configuration, expected) => {
    await using cluster = await Sandbox.cluster({ release, primaries: 1, configuration });
    await using stage = await StandbyStage.open(cluster);
    await cluster.ask(stage.primary, 'SET', 'k', 'written before the freeze');
    const { entry } = await freezeNow(await stage.attempt(), { shard, primary: stage.primary, tell: () => undefined });
    const { ranges } = ownLine(String(await cluster.ask(stage.primary, 'CLUSTER', 'NODES')));
    const ending = new AbortController();
    const followed = follow({
      primary: () => Promise.resolve(at(cluster.endpoint(), stage.primary)),
      ...{ standby: at(cluster.endpoint(), entry.address), slots: ranges, source: release, target: release },
      signal: ending.signal,
    }).catch((error: unknown) => error);
    await cluster.ask(stage.primary, 'SET', 'k', 'written before the cutover');
    await asActivity(async () =>
      cutOverShard(await stage.attempt(), { shard, primary: stage.primary, standby: entry.address }),
    );
    ending.abort(new Error('cut over'));
    await followed;
    await until(
      'the standby serves',
      async () => (await cluster.ask(entry.address, 'SET', 'k', 'written after the cutover')) === 'OK',
    );

    for (const { pid } of await processesIn(entry.home, [])) process.kill(pid, 'SIGKILL');
    await until('it has ended', async () => (await processesIn(entry.home, [])).length === 0);
    await spawnServer(entry.home, (await findServers()).get(release) ?? '');
    await until('it serves again', async () => {
      await using standby = await connect(at(cluster.endpoint(), entry.address));
      return typeof (await standby.call('GET', 'k')) === 'string';
    });
    expect(await cluster.ask(entry.address, 'GET', 'k')).toBe(expected);
  },
  240_000,
);

import { expect, test } from 'vitest';
import {
  rememberBefore,
  rememberOrigin,
  SNAPSHOT,
  readBefore,
  writeBefore,
  forgetBefore,
} from '../../../activities/before.js';
import { platformNode, type Context } from '../../../activities/context.js';
import { cutOverShard } from '../../../activities/cut-over.js';
import { placeOf } from '../../../activities/places.js';
import { rejoin, syncBaseline } from '../../../activities/rejoin.js';
import { returnNode } from '../../../activities/return-node.js';
import { startAnother } from '../../../activities/server.js';
import { freezeNow } from '../../../activities/standby-freeze.js';
import { sync } from '../../../activities/standby-sync.js';
import { handOver } from '../../../redis/handover.js';
import { backgroundSave, noFailover, setDirective } from '../../../redis/node.js';
import { at, connect } from '../../../redis/connection.js';
import { ownLine } from '../../../redis/standby/cluster-file.js';
import { markImporting } from '../../../redis/standby/importing.js';
import { follow } from '../../../redis/follow/follow.js';
import { readTopology } from '../../../redis/topology.js';
import { Sandbox, until } from '../../../scripts/sandbox/cluster.js';
import { startWriting } from '../../redis/standby/writer.js';
import { asActivity, StandbyStage } from './stage.js';
import { usually } from '../../thorough.js';

const shard = 'shard-1';
const tell = (): void => undefined;

const pairs = [
  ['5.0.6', '8.0.6'],
  ['7.2.4', 'valkey-9.1.2'],
  ['7.0.15', '8.0.6'],
  ['6.2.14', '8.2.3'],
] as const;

test.each(usually(2, pairs))(
  'a shard from %s to %s and back, node for node: nothing lost, and all is as it was',
  async (older, newer) => {
    await using cluster = await Sandbox.cluster({
      release: older,
      configuration: ['appendonly yes', 'repl-backlog-size 64mb'],
    });
    await using stage = await StandbyStage.open(cluster);
    const [p, , , r] = cluster.nodes;
    if (!p || !r) throw new Error('the sandbox has six nodes');
    const all = cluster.nodes.map(({ address }) => address);
    const handOverTo = (from: string, to: string, siblings: string[]) =>
      handOver({
        ...{ endpoint: cluster.endpoint(), from, to, siblings, nodes: all, mode: 'safe', confirmWithinMs: 30_000 },
      });

    await sync(await stage.attempt(), { shard, primary: p.address, tell });
    await using writing = startWriting({ cluster, standby: p });
    await writing.written(50);
    await upgrade(stage, r.address, p.address, newer);
    const { entry, point } = await freezeNow(await stage.attempt(), { shard, primary: p.address, tell });
    expect(point.offset).toBeGreaterThan(0);
    await keepSnapshot(stage, p.address);
    await handOverTo(p.address, r.address, []);
    await swap(stage, p.address, r.address, newer);
    await using owner = await cluster.connect(r);
    const { owner: id, ranges } = ownLine(String(await owner.call('CLUSTER', 'NODES')));
    await using standby = await connect(at(cluster.endpoint(), entry.address));
    await markImporting({ standby, ranges, owner: id });
    const ending = new AbortController();
    const followed = follow({
      primary: () => Promise.resolve(at(cluster.endpoint(), r.address)),
      ...{ standby: at(cluster.endpoint(), entry.address), slots: ranges, source: newer, target: older },
      signal: ending.signal,
    }).catch((error: unknown) => error);
    await writing.written(200);

    const cut = async () =>
      asActivity(async () =>
        cutOverShard(await stage.attempt(), { shard, primary: r.address, standby: entry.address }),
      );
    expect(await cut()).toMatchObject({ shard, from: r.address, to: entry.address, already: false });
    expect(await cut()).toMatchObject({ already: true });
    // With its record the cutover has taken the follower's leave; what is there still ends here.
    ending.abort(new Error('the shard is back'));
    expect(await followed).toBeInstanceOf(Error);
    expect((await stage.standbys())[0]?.state).toBe('serving');
    await writing.written(50);

    const back = (node: string) =>
      asActivity(async () =>
        returnNode(await stage.attempt(), { shard, node, primary: entry.address, to: older }, tell),
      );
    for (const node of [p.address, r.address]) {
      expect(await back(node)).toMatchObject({ kind: 'full', release: older, verified: { different: 0 } });
      expect(await back(node)).toMatchObject({ release: older, verified: { different: 0 } });
      expect(await cluster.ask(node, 'CONFIG', 'GET', noFailover)).toContain('no');
      expect(await cluster.ask(node, 'CONFIG', 'GET', 'appendonly')).toContain('yes');
    }
    await writing.written(50);
    await handOverTo(entry.address, p.address, [r.address]);
    await writing.written(50);
    expect(await writing.lost(p.address)).toEqual([]);
    expect(writing.failed).toEqual([]);
    await until('all agree', async () => {
      const { shards, disagreements } = await readTopology((await stage.attempt()).endpoint, all);
      return disagreements.length === 0 && shards[0]?.primary.address === p.address;
    });
  },
  600_000,
);

async function placeAt(context: Context, address: string) {
  await using connection = await context.connect(address);
  return { ...(await placeOf(connection)), pending: false };
}

/** What the upgrade notes and keeps of a node before it is swapped, while its dataset is still the truth. */
async function keepSnapshot(stage: StandbyStage, address: string): Promise<void> {
  const context = await stage.attempt();
  const place = await placeAt(context, address);
  await using acting = await context.connectToAct(place);
  await rememberBefore(context, acting, place);
  await rememberOrigin(context, place);
  await setDirective(acting, 'save', '');
  await backgroundSave(acting);
  const files = [place.datasetFile, place.clusterFile];
  await context.platform.keep(platformNode(place), context.token, { label: SNAPSHOT, files });
  const before = await readBefore(context, place);
  if (before) await writeBefore(context, place, { ...before, snapshot: true });
}

async function swap(stage: StandbyStage, address: string, primary: string, to: string): Promise<void> {
  const context = await stage.attempt();
  const place = await placeAt(context, address);
  await using upstream = await context.connect(primary);
  const baseline = await syncBaseline(upstream);
  const before = await readBefore(context, place);
  if (!before) throw new Error('nothing was noted');
  await startAnother(context, place, before, to);
  await rejoin(context, { place, primary, baseline, shard, tell });
  await using acting = await context.connectToAct(place);
  await setDirective(acting, noFailover, 'no');
  await forgetBefore(context, place);
}

async function upgrade(stage: StandbyStage, address: string, primary: string, to: string): Promise<void> {
  await keepSnapshot(stage, address);
  await swap(stage, address, primary, to);
}

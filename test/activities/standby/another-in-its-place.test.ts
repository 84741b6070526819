// A standby is ended by hand, and a node that is to take slots is set up at its address: it was taken for the standby, and
// whoever read the cluster saw no such node.
import { expect, test } from 'vitest';
import { freezeNow } from '../../../activities/standby-freeze.js';
import { changeRegistry } from '../../../activities/standby-registry.js';
import { readTopology } from '../../../redis/topology.js';
import { Sandbox, until } from '../../../scripts/sandbox/cluster.js';
import { StandbyStage } from './stage.js';

test.each(['5.0.6', '7.2.4'])(
  '%s: another node where a standby was is a member without slots, and the standby still is none',
  async (release) => {
    await using cluster = await Sandbox.cluster({ release, primaries: 1 });
    await using stage = await StandbyStage.open(cluster);
    await freezeNow(await stage.attempt(), { shard: 'shard-1', primary: stage.primary, tell: () => undefined });
    await using others = await Sandbox.servers(1, { release, configuration: ['cluster-enabled yes'] });
    const [other] = others.nodes;
    if (!other) throw new Error('expected a node');
    await cluster.ask(stage.primary, 'CLUSTER', 'MEET', '127.0.0.1', other.port);
    const seeds = cluster.nodes.map(({ address }) => address);
    const disagreements = async (): Promise<string> =>
      (await readTopology((await stage.attempt()).endpoint, seeds)).disagreements.join('\n');
    const said = `${other.address} is a primary without slots`;
    await until('all have met it', async () => (await disagreements()).includes(said));
    const [entry] = await stage.standbys();
    expect(await disagreements()).not.toContain(entry?.address);

    // As if the port were the standby's.
    await changeRegistry(stage.state, (all) => all.map((it) => ({ ...it, address: other.address })));
    expect(await disagreements()).toContain(said);
    await changeRegistry(stage.state, (all) => all.map((it) => (entry ? entry : it)));
    expect(await disagreements()).not.toContain(entry?.address);
  },
  240_000,
);

/**
 * What random.test.ts tries, in a cluster: the standby is a member that is importing its slots, and refuses what a server
 * outside of one takes. There are keys of several slots, transactions within one of them, scripts across them; and the role
 * moves there and back while two followers are at it.
 *
 * `SEED=n` draws the same commands and faults again (it stands in each test's name). A thorough run takes more pairs of
 * releases, and five times as many commands.
 */
import { test } from 'vitest';
import { at } from '../../../redis/connection.js';
import { until } from '../../../scripts/sandbox/cluster.js';
import { Toxiproxy } from '../../../scripts/sandbox/toxiproxy.js';
import { drawing } from '../rewrite/random-commands.js';
import { Killable } from './killable.js';
import { randomLoad } from './random-load.js';
import { cut, restart, runAtRandom, seed, setBack, timeoutMs } from './random-run.js';
import { Shard, slots } from './shard.js';
import { usually } from '../../thorough.js';

const pairs: [source: string, target: string][] = [
  ['8.2.3', '6.2.14'],
  ['valkey-9.1.2', '7.2.4'],
  ['8.2.3', '5.0.6'],
  ['8.0.6', '7.4.1'],
  ['7.0.15', '5.0.6'],
];
const tags = ['{a}', '{b}', '{c}'];

test.each(usually(1, pairs))(
  `%s → %s (SEED=${seed})`,
  async (source, target) => {
    const draw = drawing(seed);
    await using shard = await Shard.start(source, target);
    const { cluster, old } = shard;
    const [one, other] = cluster.nodes;
    const [standbyNode] = old.nodes;
    if (!one || !other || !standbyNode) throw new Error('three nodes');
    await using toxiproxy = await Toxiproxy.start();
    const proxies = [await toxiproxy.proxy('one', one.address), await toxiproxy.proxy('other', other.address)];
    const toStandby = await toxiproxy.proxy('standby', standbyNode.address);
    const input = {
      primaries: proxies.map(({ address }) => at(cluster.endpoint(), address)),
      standby: at(shard.standby, toStandby.address),
      ...{ source, target, slots },
    };
    await using first = await new Killable(input).start();
    await using second = await new Killable(input).start();
    const failOver = async (): Promise<void> => {
      const next = shard.primary === one ? other : one;
      await until(`${next.address} is primary`, async () => {
        await cluster.ask(next.address, 'CLUSTER', 'FAILOVER').catch(() => undefined);
        return String(await cluster.ask(next.address, 'ROLE')).startsWith('master');
      });
      shard.nowPrimary(next);
    };
    await runAtRandom({
      draw,
      next: randomLoad({ release: source, draw, tags }),
      primary: () => cluster.endpoint(shard.primary),
      standby: shard.standby,
      ...{ slots, databases: [0], followers: [first, second] },
      faults: [
        () => restart(first),
        () => restart(second),
        () => restart(first, second),
        () => Promise.all(proxies.map(cut)),
        () => cut(toStandby),
        () => cluster.ask(shard.primary.address, 'CLIENT', 'KILL', 'TYPE', 'replica'),
        () => setBack(old, standbyNode),
        failOver,
        failOver,
      ],
    });
  },
  timeoutMs,
);

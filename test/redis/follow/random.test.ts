/**
 * Thousands of commands of every type, drawn at random, on a real newer server, followed into a real older one by two
 * followers in processes of their own; they are killed, their links cut, the standby is set back. In the end both servers
 * hold the same.
 *
 * `SEED=n` draws the same commands and faults again (it stands in each test's name). A thorough run takes more pairs of
 * releases, and five times as many commands.
 */
import { test } from 'vitest';
import { at } from '../../../redis/connection.js';
import { Sandbox } from '../../../scripts/sandbox/cluster.js';
import { Toxiproxy } from '../../../scripts/sandbox/toxiproxy.js';
import { drawing } from '../rewrite/random-commands.js';
import { freezeEmpty } from './followed.js';
import { Killable } from './killable.js';
import { databases, randomLoad } from './random-load.js';
import { cut, restart, runAtRandom, seed, setBack, timeoutMs } from './random-run.js';
import { usually } from '../../thorough.js';

const pairs: [source: string, target: string][] = [
  ['8.2.3', '6.2.14'],
  ['valkey-9.1.2', '7.2.4'],
  ['7.0.15', '5.0.6'],
  ['8.2.3', '5.0.6'],
  ['8.2.3', '7.2.4'],
  ['valkey-9.1.2', '5.0.6'],
  ['8.0.6', '7.4.1'],
];

test.each(usually(2, pairs))(
  `%s → %s (SEED=${seed})`,
  async (source, target) => {
    const draw = drawing(seed);
    await using a = await Sandbox.servers(1, { release: source, configuration: ['repl-backlog-size 256mb'] });
    await using b = await Sandbox.servers(1, { release: target });
    const [standbyNode] = b.nodes;
    if (!standbyNode) throw new Error('a node');
    {
      await using standby = await b.connect();
      await freezeEmpty(a.endpoint(), standby);
    }
    await using toxiproxy = await Toxiproxy.start();
    const toPrimary = await toxiproxy.proxy('primary', a.nodes[0]?.address ?? '');
    const toStandby = await toxiproxy.proxy('standby', standbyNode.address);
    const input = {
      primaries: [at(a.endpoint(), toPrimary.address)],
      standby: at(b.endpoint(), toStandby.address),
      ...{ source, target, slots: [] },
    };
    await using first = await new Killable(input).start();
    await using second = await new Killable(input).start();
    await runAtRandom({
      draw,
      next: randomLoad({ release: source, draw, tags: [] }),
      primary: () => a.endpoint(),
      standby: b.endpoint(),
      ...{ slots: [], databases, followers: [first, second] },
      faults: [
        () => restart(first),
        () => restart(second),
        () => restart(first, second),
        () => cut(toPrimary),
        () => cut(toStandby),
        () => a.ask(a.nodes[0]?.address, 'CLIENT', 'KILL', 'TYPE', 'replica'),
        () => setBack(b, standbyNode),
      ],
    });
  },
  timeoutMs,
);

/** A key that is renewed before it ends is lost at a standby that would end it by its own clock. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { connect } from '../../../redis/connection.js';
import { serversWithClocks } from '../../../scripts/sandbox/clocks.js';
import { writeFile } from 'node:fs/promises';
import { Sandbox } from '../../../scripts/sandbox/cluster.js';
import { send } from '../verify/pair.js';
import { Follower, freezeEmpty } from './followed.js';

test('keys of 1 to 2 s that are renewed, a standby whose clock is minutes ahead, a follower that is away for seconds', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'redis-rollout-clocks-'));
  await using a = await Sandbox.servers(1, { release: '8.0.6', configuration: ['repl-backlog-size 64mb'] });
  await using b = await Sandbox.servers(1, { release: '6.2.14', servers: await serversWithClocks(folder, ['6.2.14']) });
  const [node] = b.nodes;
  if (!node) throw new Error('a node');
  await writeFile(join(node.home, 'clock'), '+300s\n');
  await using standby = await b.connect();
  await freezeEmpty(a.endpoint(), standby);
  const options = {
    primary: () => Promise.resolve(a.endpoint()),
    standby: b.endpoint(),
    source: '8.0.6',
    target: '6.2.14',
  };
  const follower = new Follower(options).start();
  try {
    const names = Array.from({ length: 50 }, (_, i) => `session:${i}`);
    await send(
      a.endpoint(),
      names.map((it, i) => ['SET', it, 0, 'EX', 1 + (i % 2)]),
    );
    const renew = async (seconds: number): Promise<void> => {
      for (let turn = 0; turn < seconds * 4; turn++) {
        await send(
          a.endpoint(),
          names.flatMap(
            (it) =>
              [
                ['INCR', it],
                ['EXPIRE', it, 2],
              ] as const,
          ),
        );
        await sleep(250);
      }
    };
    await renew(2);
    await follower.end();
    await renew(5);
    follower.start();
    await renew(2);
    await follower.drained();
    await using primary = await connect(a.endpoint());
    expect(await standby.call('MGET', ...names)).toEqual(await primary.call('MGET', ...names));
    expect(await primary.call('GET', names[0] ?? '')).toBe('36');
    // What nobody renews ends there when it ends here.
    await sleep(2500);
    expect(await primary.call('EXISTS', ...names)).toBe(0);
    await follower.drained();
    expect(await standby.call('EXISTS', ...names)).toBe(0);
  } finally {
    await follower.end();
    await rm(folder, { recursive: true, force: true });
  }
});

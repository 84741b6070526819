// A node that was started on a file is to have what the file has: one key too few, too many or of another value is told.
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readSnapshot } from '../../../redis/snapshot.js';
import { compareWithSnapshot } from '../../../redis/verify/against-snapshot.js';
import { Sandbox, until } from '../../../scripts/sandbox/cluster.js';
import { everyType } from './every-type.js';

test.each(['5.0.6', '8.0.6'])(
  'every type of %s, however it is encoded, is as in the file; what is not is named',
  async (release) => {
    await using sandbox = await Sandbox.servers(1, { release });
    const [server] = sandbox.nodes;
    if (!server) throw new Error('a server');
    await using connection = await sandbox.connect();
    for (const reply of await connection.pipeline(everyType())) if (reply instanceof Error) throw reply;
    await connection.call('SET', 'short-lived', 'x', 'PX', 1500);
    await connection.call('SAVE');
    const file = join(sandbox.root, 'backup.rdb');
    await copyFile(join(server.home, 'dump.rdb'), file);
    const keys = Number(await connection.call('DBSIZE'));
    const compare = (sample?: number) =>
      compareWithSnapshot({
        snapshot: readSnapshot(file),
        keys,
        node: sandbox.endpoint(),
        ...(sample === undefined ? {} : { sample }),
      });

    const same = await compare();
    expect(same).toMatchObject({ keys, different: 0, missing: 0, others: 0, examples: [] });
    expect(same.compared + same.expired).toBe(keys);
    // The same values in the encodings of another configuration: nothing of it shows.
    for (const kind of ['hash', 'zset', 'set'])
      for (const limit of ['ziplist', 'listpack', 'intset'])
        await connection.call('CONFIG', 'SET', `${kind}-max-${limit}-entries`, 1).catch(() => undefined);
    await connection.call('CONFIG', 'REWRITE');
    await sandbox.kill(server);
    await copyFile(file, join(server.home, 'dump.rdb'));
    await sandbox.start(server);
    await using again = await sandbox.connect();
    await until('one key has expired', async () => (await again.call('EXISTS', 'short-lived')) === 0);
    expect(await compare()).toMatchObject({ keys, different: 0, missing: 0, others: 0, expired: 1, examples: [] });
    const sampled = await compare(100);
    expect(sampled).toMatchObject({ keys, different: 0, missing: 0 });
    expect(sampled.compared).toBeLessThan(keys / 2);

    await again.call('DEL', 'string:int');
    await again.call('ZADD', 'zset:large', 4.5, 'member 7');
    await again.call('LSET', 'list:large', 0, 'x');
    await again.call('XADD', 'stream:groups', '9-9', 'a', 'b');
    await again.call('EXPIRE', 'hash:small', 1000);
    await again.call('SET', 'new', 1);
    await again.call('SET', 'newer', 1);
    const differing = await compare();
    expect(differing).toMatchObject({ missing: 1, different: 4, others: 1 });
    expect(differing.examples.sort()).toEqual([
      '1 keys that are not in the snapshot',
      'hash:small expires, as it should not',
      'list:large has another value',
      'stream:groups has another value',
      'string:int is not there',
      'zset:large has another value',
    ]);
  },
);

// What takes the server longest is the dump between the two questions that a key is asked.
test.each(['5.0.6', '8.0.6'])(
  '%s: a key that expires while it is looked at has expired, and is not another',
  async (release) => {
    await using sandbox = await Sandbox.servers(1, { release });
    const file = join(sandbox.nodes[0]?.home ?? '', 'dump.rdb');
    await using connection = await sandbox.connect();
    const values = Array.from({ length: 60 }, (_, i) => String(i).repeat(500));
    for (let round = 0; round < 8; round++) {
      await connection.pipeline(Array.from({ length: 300 }, (_, i) => ['RPUSH', `list:${i}`, ...values]));
      const expiresAt = Date.now() + 500;
      await connection.pipeline(Array.from({ length: 300 }, (_, i) => ['PEXPIREAT', `list:${i}`, expiresAt]));
      await connection.call('SAVE');
      while (Date.now() < expiresAt) {
        const found = await compareWithSnapshot({ snapshot: readSnapshot(file), keys: 300, node: sandbox.endpoint() });
        expect(found).toMatchObject({ keys: 300, missing: 0, different: 0, examples: [] });
      }
    }
  },
);

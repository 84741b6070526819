// A large value that is asked for whole holds its server up; one that is read in parts and taken for another, or for the same, is
// worse.
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseInfo } from '../../../redis/info.js';
import { readSnapshot } from '../../../redis/snapshot.js';
import { compareWithSnapshot } from '../../../redis/verify/against-snapshot.js';
import { Sandbox } from '../../../scripts/sandbox/cluster.js';

const MANY = 20_000;
const elements = Array.from({ length: MANY }, (_, i) => `element ${i}`);
const large = ['large:string', 'large:list', 'large:set', 'large:hash', 'large:zset', 'large:stream'];

test.each(['5.0.6', '8.0.6', 'valkey-9.1.2'])(
  '%s: each large value is read in parts, and one element that is another is found',
  async (release) => {
    await using sandbox = await Sandbox.servers(1, { release });
    const [server] = sandbox.nodes;
    if (!server) throw new Error('a server');
    await using connection = await sandbox.connect(undefined, { timeoutMs: 60_000 });
    await connection.call('SET', 'large:string', 'x'.repeat(3_000_000));
    for (let at = 0; at < MANY; at += 1000) {
      const some = elements.slice(at, at + 1000);
      await connection.call('RPUSH', 'large:list', ...some);
      await connection.call('SADD', 'large:set', ...some);
      await connection.call('HSET', 'large:hash', ...some.flatMap((it) => [it, `of ${it}`]));
      await connection.call('ZADD', 'large:zset', ...some.flatMap((it, i) => [(at + i) / 7, it]));
      await connection.pipeline(some.map((it, i) => ['XADD', 'large:stream', `${at + i + 1}-1`, 'field', it]));
    }
    await connection.call('PEXPIRE', 'large:hash', 3_600_000);
    await connection.call('XGROUP', 'CREATE', 'large:stream', 'readers', '0');
    for (const consumer of ['ana', 'ben'])
      await connection.call('XREADGROUP', 'GROUP', 'readers', consumer, 'COUNT', 800, 'STREAMS', 'large:stream', '>');
    await connection.call('SAVE');
    const file = join(sandbox.root, 'backup.rdb');
    await copyFile(join(server.home, 'dump.rdb'), file);
    const compare = () =>
      compareWithSnapshot({ snapshot: readSnapshot(file), keys: large.length, node: sandbox.endpoint() });
    expect(await compare()).toMatchObject({ compared: 6, different: 0, missing: 0, others: 0, examples: [] });

    // Of what was loaded, no table is being resized.
    await sandbox.kill(server);
    await copyFile(file, join(server.home, 'dump.rdb'));
    await sandbox.start(server);
    await using again = await sandbox.connect();
    await again.call('CONFIG', 'RESETSTAT');
    expect(await compare()).toMatchObject({ compared: 6, different: 0, examples: [] });
    const calls = parseInfo(String(await again.call('INFO', 'commandstats')));
    expect(calls['cmdstat_dump']).toBeUndefined();
    expect(calls['cmdstat_hscan']).toBeDefined();

    await again.call('SETRANGE', 'large:string', 2_000_000, 'y');
    await again.call('LSET', 'large:list', 12_345, 'other');
    await again.call('SREM', 'large:set', 'element 777');
    await again.call('SADD', 'large:set', 'element x');
    await again.call('HSET', 'large:hash', 'element 777', 'other');
    await again.call('ZINCRBY', 'large:zset', 0.5, 'element 777');
    await again.call('XACK', 'large:stream', 'readers', '700-1');
    const differing = await compare();
    expect(differing.examples.sort()).toEqual(large.map((key) => `${key} has another value`).sort());
    expect(differing).toMatchObject({ compared: 6, different: 6 });
  },
  240_000,
);

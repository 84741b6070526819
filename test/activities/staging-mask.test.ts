// A masked copy that something of production can be read in, that is not what production is otherwise, or whose comparison with the
// backup could not fail.
import { randomBytes } from 'node:crypto';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { maskOf } from '../../activities/staging-site.js';
import { loadDeployment } from '../../integrations/deployment-files.js';
import { endpointFor } from '../../integrations/secrets.js';
import { at, connect, type NodeConnection } from '../../redis/connection.js';
import type { Command } from '../../redis/resp.js';
import { Sandbox } from '../../scripts/sandbox/cluster.js';
import { StagingStage } from './staging-stage.js';

const LEAST = 6;

/** What must not be found again, not a part of it. */
class Plaintext {
  readonly #parts = new Set<string>();

  of(length: number): string {
    const text = randomBytes(length).toString('base64url').slice(0, length);
    for (let at = 0; at + LEAST <= text.length; at++) this.#parts.add(text.slice(at, at + LEAST));
    return text;
  }

  foundIn(bytes: Buffer): string[] {
    const text = bytes.toString('latin1');
    const found: string[] = [];
    for (let at = 0; at + LEAST <= text.length; at++)
      if (this.#parts.has(text.slice(at, at + LEAST))) found.push(text.slice(at, at + 20));
    return found;
  }

  async foundBelow(folder: string): Promise<string[]> {
    const found: string[] = [];
    for (const name of await readdir(folder, { recursive: true }))
      if ((await stat(join(folder, name))).isFile())
        for (const it of this.foundIn(await readFile(join(folder, name)))) found.push(`${name}: ${it}`);
    return found;
  }
}

const many = <T>(count: number, each: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => each(i));

function planted(release: string): { commands: Command[]; plaintext: Plaintext } {
  const plaintext = new Plaintext();
  const t = (length = 12): string => plaintext.of(length);
  const tag = t(10);
  const commands: Command[] = [
    ...[6, 8, 15, 16, 17, 40, 300].map((size): Command => ['SET', t(), t(size)]),
    ['SET', `{${tag}}${t(8)}`, t(60)],
    ['SET', `${t(7)}{${tag}}${t(30)}`, '73921'],
    ['SET', t(), '-40000', 'PX', 900_000],
    ['SET', t(3000), t(700_000)],
    ['SETBIT', t(), 4000, 1],
    ['HSET', t(), ...many(8, () => t()), 'visits', 12, 'share', '0.75'],
    ['HSET', t(), ...many(6000, () => t(9))],
    ['RPUSH', t(), ...many(50, () => t(20)), '', '5', '5'],
    ['SADD', t(), ...many(30, (i) => i * 31)],
    ['SADD', t(), ...many(700, (i) => i * 100_003)],
    ['SADD', t(), ...many(3000, () => t(7))],
    ['ZADD', t(), ...many(20, (i) => [i / 3, t(9)]).flat()],
    ['ZADD', t(), ...many(500, (i) => [i / 3, t(70)]).flat()],
    ['PFADD', t(), ...many(4, () => t())],
    ['PFADD', t(), ...many(4000, (i) => `visitor ${i}`)],
    ['SET', 'config:limit', 'kept as it is'],
  ];
  const [stream, group, consumer] = [t(), t(), t()];
  commands.push(
    ...many(4, (i): Command => ['XADD', stream, `${i + 1}-1`, 'mail', t(30), t(), 'x']),
    ['XGROUP', 'CREATE', stream, group, '0'],
    ['XREADGROUP', 'GROUP', group, consumer, 'COUNT', 2, 'STREAMS', stream, '>'],
  );
  if (release.startsWith('8'))
    commands.push(
      ['VADD', t(), 'VALUES', 2, 1, 2, t()],
      [
        'FUNCTION',
        'LOAD',
        `#!lua name=planted\n-- ${t(20)}\nredis.register_function('planted', function() return 1 end)`,
      ],
    );
  return { commands, plaintext };
}

/** What is the same of a key and of what stands for it. */
async function shapeOf(node: NodeConnection, key: Buffer): Promise<unknown> {
  const type = String(await node.call('TYPE', key));
  const size = { string: 'STRLEN', hash: 'HLEN', list: 'LLEN', set: 'SCARD', zset: 'ZCARD', stream: 'XLEN' }[type];
  const isCounted = type === 'string' && String(await node.call('GETRANGE', key, 0, 3)) === 'HYLL';
  return [
    type,
    // A short string that was written to in place is raw, and embstr once it was loaded.
    String(await node.call('OBJECT', 'ENCODING', key)).replace('raw', 'embstr'),
    size === undefined ? undefined : await node.call(size, key),
    isCounted ? await node.call('PFCOUNT', key) : undefined,
    Number(await node.call('PTTL', key)) > 0,
  ];
}

/** All that a server tells of its keys. */
async function told(node: NodeConnection): Promise<Buffer> {
  const keys = (await node.callBuffer('KEYS', '*')) as Buffer[];
  const dumps = (await node.pipeline(
    keys.map((key) => ['DUMP', key]),
    { buffers: true },
  )) as Buffer[];
  return Buffer.concat([...keys, ...dumps]);
}

test.each(['5.0', '8.0'])(
  '%s: nothing of what was there is to be read, all else is as it was, and what differs is found',
  async (release) => {
    const configuration = ['rdbcompression no'];
    await using cluster = await Sandbox.cluster({ release, primaries: 1, replicasEach: 0, configuration });
    const { commands, plaintext } = planted(release);
    await using origin = await cluster.connect(undefined, { timeoutMs: 60_000 });
    for (const command of commands) await origin.call(...(command as [string, ...string[]]));
    expect(plaintext.foundIn(await told(origin)).length).toBeGreaterThan(10_000);
    await using stage = await StagingStage.open(cluster);
    await stage.deploy({ mask: { except: ['config:*'] } });
    const backup = await stage.backUp({ proven: true });
    const found = await stage.attempt((acts) => acts.beginStaging({ ...stage.order, to: '8.2', via: [] }));
    const of = { staging: 's1', backup };
    await stage.attempt((acts) => acts.makeCopy({ ...stage.order, ...of, release: found.release }));
    const [shard = ''] = found.shards.map((it) => it.shard);
    // It is as it was begun, whatever the file says by now.
    await stage.deploy();
    const filled = await stage.attempt((acts) => acts.fillCopy({ ...stage.order, ...of, shard }));
    const compare = () =>
      stage.attempt((acts) => acts.compareCopy({ ...stage.order, ...of, shard, expiryToleranceMs: 0 }));

    const isNew = release === '8.0';
    expect(filled).toMatchObject({ masked: 'values and keys masked, but for config:*', refused: isNew ? 1 : 0 });
    expect(Object.entries(filled.lacking).map(([what, { count }]) => `${count} ${what}`)).toEqual(
      isNew ? ['1 function libraries, which can’t be masked', '1 values of modules, which can’t be masked'] : [],
    );
    const keys = (await origin.callBuffer('KEYS', '*')) as Buffer[];
    const there = keys.length - filled.refused;
    expect(await compare()).toMatchObject({ keys: there, compared: there, same: there, different: 0, missing: 0 });

    const deployment = await loadDeployment('orders', stage.deployments);
    const mask = await maskOf(deployment);
    if (!mask) throw new Error('nothing is masked');
    const copied = await loadDeployment('orders-staging', stage.deployments);
    const endpoint = await endpointFor(copied);
    for (const address of copied.seeds) {
      await using node = await connect(at(endpoint, address), { timeoutMs: 60_000 });
      await node.call('READONLY');
      expect(plaintext.foundIn(await told(node))).toEqual([]);
      await node.call('CONFIG', 'SET', 'rdbcompression', 'no');
      await node.call('SAVE');
    }
    await using copy = await connect(at(endpoint, copied.seeds[0] ?? ''), { timeoutMs: 60_000 });
    const without = await Promise.all(
      keys.map(async (key) => [String(await shapeOf(origin, key)), String(await shapeOf(copy, mask.key(key)))]),
    );
    const others = without.filter(([was, is]) => was !== is);
    expect(others.map(([was]) => was?.split(',')[0])).toEqual(isNew ? ['vectorset'] : []);
    expect(await copy.call('GET', 'config:limit')).toBe('kept as it is');
    expect(await plaintext.foundBelow(stage.directory)).toEqual([]);
    expect(await plaintext.foundBelow(join(stage.root, 'state')).catch(() => [])).toEqual([]);
    expect((await stat(join(stage.directory, 'mask'))).mode & 0o777).toBe(0o600);

    const number = mask.key(keys.find((it) => it.includes('}') && it.length > 40) ?? Buffer.alloc(0));
    await copy.call('INCR', number);
    await copy.call('SREM', mask.key(Buffer.from(setOf(commands))), mask.value(Buffer.from('31')));
    expect(await compare()).toMatchObject({ different: 2, missing: 0 });
    // Masked otherwise, nothing of it is what it should be.
    await writeFile(join(stage.directory, 'mask'), Buffer.alloc(32));
    expect(await compare()).toMatchObject({ same: 1, missing: there - 1 });
  },
  240_000,
);

const setOf = (commands: readonly Command[]): string =>
  String(commands.find(([name, , second, third]) => name === 'SADD' && second === 0 && third === 31)?.[1]);

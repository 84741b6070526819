import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { splitAddress } from '../../model/endpoint.js';
import type { FailureType } from '../../model/failures.js';
import { RolloutError } from '../../model/failures.js';
import type { FencingToken, Platform, PlatformNode } from '../../platforms/platform.js';
import { until } from '../../scripts/sandbox/cluster.js';
import type { NodeConnection } from '../../redis/connection.js';

/** One real node that runs 5.0.6, started by other hands than the platform's, with 8.0.6 to start next. */
export interface ContractSubject extends AsyncDisposable {
  platform: Platform;
  node: PlatformNode;
  connect(): Promise<NodeConnection>;
  /** SIGSTOP or the like: alive, answering nothing. */
  hang(): Promise<void>;
}

export const token = (epoch: number, holder = 'attempt'): FencingToken => ({ epoch, holder: `${holder}-${epoch}` });

async function* pieces(whole: Buffer, end?: Error): AsyncGenerator<Buffer, void, void> {
  for (let at = 0; at < whole.length; at += 64) yield whole.subarray(at, at + 64);
  await Promise.resolve();
  if (end) throw end;
}

/** Resolves to the RolloutError that a promise is expected to end in; the message is checked by the caller. */
export async function refusal(act: Promise<unknown>, type: FailureType): Promise<string> {
  try {
    await act;
  } catch (error) {
    if (!(error instanceof RolloutError)) throw error;
    expect(error.type, error.message).toBe(type);
    return error.message;
  }
  throw new Error(`expected a RolloutError ${type}, and nothing was refused`);
}

/** What every platform must do, tried with real servers behind it. */
export function platformContract(name: string, make: () => Promise<ContractSubject>): void {
  describe(`${name}: the platform contract`, () => {
    test('a server that others started is found, stopped, and started anew with its data', async () => {
      await using subject = await make();
      const { platform, node } = subject;
      const before = await platform.inspect(node);
      expect(before).toMatchObject({ state: 'running' });
      expect(before.release).toBeUndefined();
      await using old = await subject.connect();
      await old.call('SET', 'greeting', 'hello');
      await old.call('SAVE');
      const configuration = await platform.readConfiguration(node);
      await platform.stop(node, token(1), { terminate: true });
      expect(await platform.inspect(node)).toMatchObject({ state: 'stopped' });

      const started = await platform.start(node, token(1), { release: '8.0.6', configuration, arguments: [] });
      expect(started).toMatchObject({ state: 'running', release: '8.0.6' });
      await using now = await subject.connect();
      expect(await now.call('GET', 'greeting')).toBe('hello');
      expect(String(await now.call('INFO', 'server'))).toContain('redis_version:8.0.6');
    });

    test('started twice, it runs once; stopped twice, it is stopped', async () => {
      await using subject = await make();
      const { platform, node } = subject;
      const configuration = await platform.readConfiguration(node);
      await platform.stop(node, token(1), { terminate: true });
      await platform.stop(node, token(1), { terminate: true });
      const input = { release: '8.0.6', configuration, arguments: [] };
      const [first, second] = await Promise.all([
        platform.start(node, token(1), input),
        platform.start(node, token(1), input),
      ]);
      expect(second.pid).toBe(first.pid);
      expect((await platform.start(node, token(1), input)).pid).toBe(first.pid);
    });

    test('a SHUTDOWN under way is waited for', async () => {
      await using subject = await make();
      await using connection = await subject.connect();
      await connection.call('SHUTDOWN', 'NOSAVE').catch(() => undefined);
      await subject.platform.stop(subject.node, token(1), { terminate: false });
      expect(await subject.platform.inspect(subject.node)).toMatchObject({ state: 'stopped' });
    });

    test('a hung server is seen as hung, and stopped all the same', async () => {
      await using subject = await make();
      await subject.hang();
      expect(await subject.platform.inspect(subject.node)).toMatchObject({ state: 'hung' });
      await subject.platform.stop(subject.node, token(1), { terminate: true });
      expect(await subject.platform.inspect(subject.node)).toMatchObject({ state: 'stopped' });
    });

    test('another release is not started over one that runs', async () => {
      await using subject = await make();
      const { platform, node } = subject;
      const configuration = await platform.readConfiguration(node);
      const before = await platform.inspect(node);
      const message = await refusal(
        platform.start(node, token(1), { release: '8.0.6', configuration, arguments: [] }),
        'StartFailed',
      );
      expect(message).toContain(`pid ${before.pid ?? ''}`);
      expect(await platform.inspect(node)).toEqual(before);
    });

    test('an attempt that lost the node can change nothing', async () => {
      await using subject = await make();
      const { platform, node } = subject;
      const [zombie, holder] = [token(100, 'zombie'), token(200, 'holder')];
      await platform.fence(node, zombie);
      await platform.fence(node, holder);
      await platform.fence(node, holder);
      const configuration = await platform.readConfiguration(node);
      const before = await platform.inspect(node);
      const files = ['redis.conf'];
      const attempts = [
        () => platform.fence(node, zombie),
        () => platform.stop(node, zombie, { terminate: true }),
        () => platform.start(node, zombie, { release: '8.0.6', configuration: 'port 1', arguments: [] }),
        () => platform.keep(node, zombie, { label: 'before', files }),
        () => platform.drop(node, zombie, { label: 'before' }),
        () => platform.remember(node, zombie, { name: 'note', text: 'x' }),
        () => platform.forget(node, zombie, { name: 'note' }),
        () => platform.configure(node, zombie, { configuration: 'port 1' }),
      ];
      for (const attempt of attempts) expect(await refusal(attempt(), 'Fenced')).toContain('held by holder-200');
      await platform.keep(node, holder, { label: 'before', files });
      await refusal(platform.restore(node, zombie, { label: 'before', files }), 'Fenced');
      expect(await platform.inspect(node)).toEqual(before);
      expect(await platform.readConfiguration(node)).toBe(configuration);
      expect(await platform.recall(node, { name: 'note' })).toBeUndefined();
    });

    test('of many attempts that take the node at once, the last one has it', async () => {
      await using subject = await make();
      const { platform, node } = subject;
      const tokens = Array.from({ length: 20 }, (_, i) => token(i + 1));
      await Promise.allSettled(tokens.map((it) => platform.fence(node, it)));
      await platform.fence(node, token(20));
      expect(await refusal(platform.fence(node, token(19)), 'Fenced')).toContain('attempt-20');
    });

    test('a configuration that the release refuses: the end of the log, and no secret in it', async () => {
      await using subject = await make();
      const { platform, node } = subject;
      const good = await platform.readConfiguration(node);
      await platform.stop(node, token(1), { terminate: true });
      const secret = randomBytes(12).toString('hex');
      for (const bad of [
        `maxclients many`,
        `requirepass ${secret} ${secret}`,
        `user ana on >${secret} +@nothing`,
        `user ana on ${secret}`,
      ]) {
        const configuration = `${good}\nmasterauth "${secret}"\n${bad}\n`;
        const message = await refusal(
          platform.start(node, token(1), { release: '8.0.6', configuration, arguments: [] }),
          'StartFailed',
        );
        expect(message).toMatch(/FATAL CONFIG FILE ERROR|Critical error while loading ACLs/);
        expect(message).not.toContain(secret);
        expect(await platform.inspect(node)).toMatchObject({ state: 'stopped' });
      }
      expect(
        await platform.start(node, token(1), { release: '5.0.6', configuration: good, arguments: [] }),
      ).toMatchObject({ state: 'running', release: '5.0.6' });
    });

    test('a release that is not there: what to run', async () => {
      await using subject = await make();
      const { platform, node } = subject;
      await platform.stop(node, token(1), { terminate: true });
      const input = { release: '4.0.14', configuration: await platform.readConfiguration(node), arguments: [] };
      expect(await refusal(platform.start(node, token(1), input), 'MissingServer')).toContain('npm run setup');
      expect(await platform.releases()).toEqual(expect.arrayContaining(['5.0.6', '8.0.6']));
    });

    test('the configuration is replaced while it runs: it runs on, and is started with that one next', async () => {
      await using subject = await make();
      const { platform, node } = subject;
      const before = await platform.inspect(node);
      const configuration = `${await platform.readConfiguration(node)}maxclients 4321\n`;
      await platform.configure(node, token(1), { configuration });
      await platform.configure(node, token(1), { configuration });
      expect(await platform.inspect(node)).toEqual(before);
      expect(await platform.readConfiguration(node)).toBe(configuration);
      await refusal(platform.configure(node, token(0), { configuration: 'port 1' }), 'Fenced');
      expect(await platform.readConfiguration(node)).toBe(configuration);
    });

    test('what the worker brings is kept beside the node whole or not at all, and put in place', async () => {
      await using subject = await make();
      const { platform, node } = subject;
      await using connection = await subject.connect();
      await connection.call('SET', 'k', 'of the backup');
      await connection.call('SAVE');
      await platform.keep(node, token(1), { label: 'backup', files: ['dump.rdb'] });
      const from = join(platform.keptAt(node, { label: 'backup' }), 'dump.rdb');
      const before = await readFile(from);
      await connection.call('SET', 'k', 'newer');
      await connection.call('SAVE');
      await platform.stop(node, token(1), { terminate: true });
      const bring = (by: number, file: string, content = pieces(before)): Promise<void> =>
        platform.bringIn(node, token(by), { label: 'brought', file, content });
      expect(await refusal(bring(0, 'dump.rdb'), 'Fenced')).toContain('attempt-1');
      expect(await refusal(bring(1, '../dump.rdb'), 'BadInput')).toContain('..');
      const broken = pieces(before, new RolloutError('Damaged', 'cut short'));
      expect(await refusal(bring(1, 'dump.rdb', broken), 'Damaged')).toContain('cut short');
      await refusal(platform.restore(node, token(1), { label: 'brought', files: ['dump.rdb'] }), 'BadInput');
      for (let n = 0; n < 2; n++) await bring(1, 'dump.rdb');
      expect(await platform.restore(node, token(1), { label: 'brought', files: ['dump.rdb'] })).toEqual(['dump.rdb']);
      const configuration = await platform.readConfiguration(node);
      await platform.start(node, token(1), { release: '8.0.6', configuration, arguments: [] });
      await using now = await subject.connect();
      expect(await now.call('GET', 'k')).toBe('of the backup');
      await now.call('SET', 'k', 'later');
      await now.call('SAVE');
      expect((await readFile(from)).equals(before)).toBe(true);
    });

    test('what was kept comes back, however often, and is dropped at the end', async () => {
      await using subject = await make();
      const { platform, node } = subject;
      await using connection = await subject.connect();
      await connection.call('CONFIG', 'SET', 'appendonly', 'yes');
      await connection.call('SET', 'k', 'before');
      await until('the append-only file is written', async () =>
        /aof_rewrite_in_progress:0[^]*aof_rewrite_scheduled:0/.test(
          String(await connection.call('INFO', 'persistence')),
        ),
      );
      await connection.call('SAVE');
      const files = ['dump.rdb', 'appendonly.aof', 'not-there.rdb'];
      expect(await platform.keep(node, token(1), { label: 'before', files })).toEqual(['dump.rdb', 'appendonly.aof']);
      await connection.call('SET', 'k', 'after');
      await connection.call('SAVE');
      const configuration = await platform.readConfiguration(node);
      for (let round = 0; round < 2; round++) {
        await platform.stop(node, token(1), { terminate: true });
        expect(await platform.restore(node, token(1), { label: 'before', files })).toEqual([
          'dump.rdb',
          'appendonly.aof',
        ]);
        await platform.start(node, token(1), { release: '8.0.6', configuration, arguments: [] });
        await using now = await subject.connect();
        expect(await now.call('GET', 'k')).toBe('before');
        await now.call('SET', 'k', `round ${round}`);
        await now.call('SAVE');
      }
      await platform.stop(node, token(1), { terminate: true });
      expect(await platform.setAside(node, token(1), { label: 'aside', files })).toEqual([
        'dump.rdb',
        'appendonly.aof',
      ]);
      expect(await platform.setAside(node, token(1), { label: 'aside', files })).toEqual([]);
      await platform.start(node, token(1), { release: '8.0.6', configuration, arguments: [] });
      await using empty = await subject.connect();
      expect(await empty.call('EXISTS', 'k')).toBe(0);
      await platform.drop(node, token(1), { label: 'aside' });
      await platform.drop(node, token(1), { label: 'before' });
      await platform.drop(node, token(1), { label: 'before' });
      expect(await refusal(platform.restore(node, token(1), { label: 'before', files }), 'BadInput')).toContain(
        'before',
      );
    });

    test('a document is kept, replaced and forgotten', async () => {
      await using subject = await make();
      const { platform, node } = subject;
      expect(await platform.recall(node, { name: 'change' })).toBeUndefined();
      await platform.remember(node, token(1), { name: 'change', text: 'one' });
      await platform.remember(node, token(1), { name: 'change', text: 'two' });
      expect(await platform.recall(node, { name: 'change' })).toBe('two');
      await platform.forget(node, token(1), { name: 'change' });
      await platform.forget(node, token(1), { name: 'change' });
      expect(await platform.recall(node, { name: 'change' })).toBeUndefined();
    });

    test('resources are plausible, and the log ends as the server’s does', async () => {
      await using subject = await make();
      const { platform, node } = subject;
      const { diskFree, diskTotal, memoryFree, memoryTotal } = await platform.resources(node);
      expect(diskFree).toBeGreaterThan(0);
      expect(diskTotal).toBeGreaterThanOrEqual(diskFree);
      expect(memoryFree).toBeGreaterThan(0);
      expect(memoryTotal).toBeGreaterThanOrEqual(memoryFree);
      await platform.stop(node, token(1), { terminate: true });
      expect((await platform.log(node, { lines: 3 })).split('\n').at(-1)).toContain('bye bye');
    });

    test('a node is created beside another, found again by its name, and removed with all that it has', async () => {
      await using subject = await make();
      const { platform, node } = subject;
      const { port } = splitAddress(node.address);
      const asked = { name: 'second', offsets: [0, 10_000], taken: [port + 1, port + 10_002] };
      const site = await platform.siteBeside(node, asked);
      const found = splitAddress(site.address).port;
      // The next two ports are somebody's, the second of them by its offset.
      expect(found).toBeGreaterThan(port + 2);
      expect((await platform.inspect(node)).state).toBe('running');
      const configuration = `port ${found}\nbind 127.0.0.1\ndir "${site.home}"\nlogfile "redis.log"\nsave ""\n`;
      const input = { release: '6.2.14', configuration, arguments: [] };
      const bad = { ...input, release: '4.0.14' };
      await refusal(platform.create(site, token(1), bad), 'MissingServer');
      expect(await platform.recall(site, { name: 'note' })).toBeUndefined();

      const [first, second] = await Promise.all([
        platform.create(site, token(1), input),
        platform.create(site, token(1), input),
      ]);
      expect(first).toMatchObject({ state: 'running', release: '6.2.14' });
      expect(second.pid).toBe(first.pid);
      // Its port is taken by now, by itself.
      expect(await platform.siteBeside(node, asked)).toEqual(site);
      await platform.remember(site, token(2), { name: 'note', text: 'kept' });
      await refusal(platform.create(site, token(1), input), 'Fenced');
      await refusal(platform.remove(site, token(1)), 'Fenced');
      expect(await platform.inspect(site)).toMatchObject({ state: 'running', pid: first.pid });

      expect(await refusal(platform.remove(node, token(2)), 'BadInput')).toContain('was not made by us');
      const elsewhere = { ...site, address: node.address };
      expect(await refusal(platform.remove(elsewhere, token(2)), 'BadInput')).toContain(site.address);
      expect(await refusal(platform.create(elsewhere, token(2), input), 'BadInput')).toContain(site.address);
      expect(await refusal(platform.create({ ...site, home: node.home }, token(2), input), 'BadInput')).toContain(
        'was not made by us',
      );
      expect((await platform.inspect(node)).state).toBe('running');

      await platform.remove(site, token(2));
      await platform.remove(site, token(2));
      expect(await platform.recall(site, { name: 'note' })).toBeUndefined();
      expect(await platform.siteBeside(node, asked)).toEqual(site);
      await using connection = await subject.connect();
      expect(await connection.call('PING')).toBe('PONG');
    });
  });
}

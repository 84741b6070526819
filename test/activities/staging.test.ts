// A copy that is not what production is, that is taken for whole when it is not, or that is left behind.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { loadDeployment } from '../../integrations/deployment-files.js';
import { assumedShape, type LoadShape } from '../../model/load-shape.js';
import type { CopyOf } from '../../model/staging-work.js';
import { at, connect } from '../../redis/connection.js';
import { parseInfo } from '../../redis/info.js';
import { keySlot } from '../../redis/probe/slot.js';
import { readTopology } from '../../redis/topology.js';
import { Sandbox } from '../../scripts/sandbox/cluster.js';
import { Dataset } from '../e2e/stage/dataset.js';
import { endpointFor } from '../../integrations/secrets.js';
import { engineForTests, IMAGE, makeImage } from '../integrations/container-image.js';
import { cancelled, StagingStage } from './staging-stage.js';

const shape: LoadShape = { ...assumedShape, keys: { ...assumedShape.keys, count: 60 }, ratePerSecond: 100 };
const target = { to: '8.0', via: [] };
const { PATH = '' } = process.env;
let cluster: Sandbox;
let stage: StagingStage;
let backup: string;
let of: CopyOf;
let shards: string[];
beforeAll(async () => {
  cluster = await Sandbox.cluster({ release: '5.0', configuration: ['hash-max-ziplist-entries 77'] });
  await Dataset.write(cluster, 200);
  stage = await StagingStage.open(cluster);
  await stage.deploy();
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
  await cluster.stop();
});

const fillAll = (): Promise<{ written: number; kept: number }[]> =>
  Promise.all(shards.map((shard) => stage.attempt((acts) => acts.fillCopy({ ...stage.order, ...of, shard }))));
const compareAll = () =>
  Promise.all(
    shards.map((shard) =>
      stage.attempt((acts) => acts.compareCopy({ ...stage.order, ...of, shard, expiryToleranceMs: 0 })),
    ),
  );
async function shardOfCopy(key: string) {
  const deployment = await loadDeployment('orders-staging', stage.deployments);
  const endpoint = await endpointFor(deployment);
  const { shards: all } = await readTopology(endpoint, deployment.seeds);
  const slot = keySlot(key);
  const shard = all.find(({ slots }) => slots.some(([from, to]) => slot >= from && slot <= to));
  if (shard === undefined) throw new Error(`no shard of the copy serves ${key}`);
  return { endpoint, shard };
}
const keysOf = (all: readonly { keys: number }[]): number => all.reduce((sum, { keys }) => sum + keys, 0);

test('an unproven backup is taken only where it is named, and releases that are not there are found out at once', async () => {
  backup = await stage.backUp({ proven: false });
  const begin = (more: object) => stage.attempt((acts) => acts.beginStaging({ ...stage.order, ...target, ...more }));
  await expect(begin({})).rejects.toMatchObject({
    type: 'BadInput',
    message: expect.stringContaining('was proven yet') as string,
  });
  await expect(begin({ backup: 'none' })).rejects.toThrow(/there is no backup none/);
  await expect(begin({ backup, to: '9.9' })).rejects.toMatchObject({ type: 'MissingServer' });
  await expect(begin({ backup, to: '5.0' })).rejects.toMatchObject({ type: 'BadTarget' });
  await stage.deploy({ checks: [{ kind: 'container', name: 'suite', image: IMAGE }] });
  vi.stubEnv('PATH', '/nowhere');
  await expect(begin({ backup })).rejects.toMatchObject({
    type: 'BadInput',
    message: expect.stringMatching(
      /^staging\.checks of orders: suite is a container, .*docker: not installed/,
    ) as string,
  });
  vi.stubEnv('PATH', PATH);
  await stage.deploy();
  const found = await begin({ backup });
  expect(found).toMatchObject({ backup, release: '5.0.6', via: [] });
  expect(found.to).toMatch(/^8\.0\.\d+$/);
  expect(keysOf(found.shards)).toBeGreaterThan(190);
  const sample = await begin({ backup, slots: [[0, 99]] });
  expect(sample.shards).toHaveLength(1);
  shards = found.shards.map(({ shard }) => shard);
  of = { staging: 's1', backup };
});

test('somebody else’s deployment of the copy’s name is neither begun with nor taken away', async () => {
  await writeFile(stage.copyFile, 'name: orders-staging\n');
  const begin = stage.attempt((acts) => acts.beginStaging({ ...stage.order, ...target, backup }));
  await expect(begin).rejects.toThrow(/was not written by a rehearsal/);
  await expect(stage.attempt((acts) => acts.removeCopy(stage.order))).rejects.toThrow(/was not written by a rehearsal/);
  expect(await readFile(stage.copyFile, 'utf8')).toBe('name: orders-staging\n');
  await rm(stage.copyFile);
});

test('it is made once, however often it is asked for, of production’s release, shape and settings', async () => {
  const make = (staging: string) =>
    stage.attempt((acts) => acts.makeCopy({ ...stage.order, ...of, staging, release: '5.0.6' }));
  const first = await make('s1');
  expect(first.nodes).toBe(6);
  expect(await make('s1')).toEqual(first);
  const deployment = await loadDeployment('orders-staging', stage.deployments);
  expect(deployment.policy).toMatchObject({ fallback: 'standby', soak: 0, roles: { staging: ['staging'] } });
  const endpoint = await endpointFor(deployment);
  const copy = await readTopology(endpoint, deployment.seeds);
  const origin = await readTopology(cluster.endpoint(), [cluster.nodes[0]?.address ?? '']);
  const slotsOf = ({ shards: all }: typeof copy): string[] => all.map(({ slots }) => JSON.stringify(slots)).sort();
  expect(slotsOf(copy)).toEqual(slotsOf(origin));
  expect(copy.shards.map(({ primary, replicas }) => [primary.release, replicas.length])).toEqual(
    Array.from({ length: 3 }, () => ['5.0.6', 1]),
  );
  const [host = '', port = ''] = first.seeds[0]?.split(':') ?? [];
  await using node = await connect({ ...endpoint, host, port: Number(port) });
  expect(await node.call('CONFIG', 'GET', 'hash-max-ziplist-entries')).toEqual(['hash-max-ziplist-entries', '77']);
  await expect(connect({ host, port: Number(port) })).rejects.toMatchObject({ type: 'Unauthorized' });
  // Another rehearsal takes what an earlier one left.
  const other = await make('s2');
  expect(other.seeds.some((it) => first.seeds.includes(it))).toBe(false);
  expect((await stage.left()).filter((it) => first.seeds.some((seed) => it.includes(seed)))).toEqual([]);
  of = { ...of, staging: 's2' };
}, 180_000);

test('what is there is the backup, and what was changed or lost of it is found', async () => {
  await fillAll();
  const same = await compareAll();
  expect(same.every(({ different, missing }) => different + missing === 0)).toBe(true);
  expect(keysOf(same)).toBeGreaterThan(190);
  for (const [key, command] of [
    ['shop:{1}:1', ['SET', 'shop:{1}:1', 'other']],
    ['shop:{9}:1', ['DEL', 'shop:{9}:1']],
  ] as [string, [string, ...string[]]][]) {
    const { endpoint, shard } = await shardOfCopy(key);
    await using node = await connect(at(endpoint, shard.primary.address));
    await node.call(...command);
  }
  const now2 = await compareAll();
  const sum = (field: 'different' | 'missing'): number => now2.reduce((total, it) => total + it[field], 0);
  expect([sum('different'), sum('missing')]).toEqual([1, 1]);
  expect(now2.flatMap(({ examples }) => examples).join(' ')).toContain('shop:{1}:1');
  // An attempt that is made again writes all of it again.
  await fillAll();
  expect((await compareAll()).every(({ different, missing }) => different + missing === 0)).toBe(true);
}, 180_000);

test('it is saved and loaded, lets keys expire, and is put to checks, whose failures are results', async () => {
  const application = createServer((request, response) => {
    response.statusCode = request.url?.startsWith('/ok') ? 200 : 503;
    response.end(`works with ${request.url ?? ''}`);
  });
  application.listen(0, '127.0.0.1');
  await once(application, 'listening');
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const gone = (other.address() as { port: number }).port;
  other.close();
  const { engine, path } = await engineForTests();
  await makeImage(engine);
  vi.stubEnv('PATH', path);
  const countsKeys = `
    exec 3<>/dev/tcp/$REDIS_HOST/$REDIS_PORT; echo "AUTH $REDIS_PASSWORD" >&3; echo DBSIZE >&3
    read -r ok <&3; read -r n <&3; echo "keys $n"; [[ $n == :[1-9]* ]]`;
  const at = `http://127.0.0.1:${(application.address() as { port: number }).port}`;
  await stage.deploy(
    {
      checks: [
        { kind: 'http', name: 'good', url: `${at}/ok?nodes={nodes}`, contains: '127.0.0.1:' },
        { kind: 'http', name: 'status', url: `${at}/broken` },
        { kind: 'http', name: 'text', url: `${at}/ok`, contains: 'something else' },
        { kind: 'container', name: 'suite', image: IMAGE, command: ['bash', '-c', countsKeys] },
        { kind: 'http', name: 'away', url: `${at.replace(/\d+$/, '')}${gone}/` },
      ],
    },
    { checks: [{ name: 'cart', command: ['sh', '-c', 'echo "$REDIS_NODES" | grep -q 127.0.0.1 && exit 7'] }] },
  );
  const steps = await stage.attempt((acts) => acts.tryCopy(stage.order));
  expect(steps).toMatchObject([
    {
      name: 'replication',
      result: 'passed',
      found: expect.stringMatching(/^\d\d\d keys of 3 replicas, each as its primary’s$/) as string,
    },
    {
      name: 'persistence',
      result: 'passed',
      found: expect.stringMatching(/^\d+ keys saved, and loaded again$/) as string,
    },
    { name: 'expiry', result: 'passed' },
  ]);
  const check = (name: string) => stage.attempt((acts) => acts.checkCopy({ ...stage.order, check: name }));
  expect(await check('good')).toMatchObject({ name: 'check good', result: 'passed' });
  expect(await check('status')).toMatchObject({ result: 'failed', found: expect.stringContaining('503') as string });
  expect(await check('text')).toMatchObject({ result: 'failed' });
  expect(await check('away')).toMatchObject({
    result: 'failed',
    found: expect.stringContaining('ECONNREFUSED') as string,
  });
  expect(await check('suite')).toMatchObject({
    ...{ name: 'check suite', result: 'passed' },
    found: expect.stringMatching(/^keys :[1-9]\d*\s*$/) as string,
  });
  expect(await check('cart')).toMatchObject({ result: 'failed', found: expect.stringContaining('7') as string });
  application.close();
}, 180_000);

test('a replica that has what its primary has not is found, and named with it', async () => {
  const { endpoint, shard } = await shardOfCopy('shop:{1}:1');
  await using node = await connect(at(endpoint, shard.primary.address));
  const unheard = "redis.replicate_commands() redis.set_repl(redis.REPL_NONE) return redis.call('DEL', KEYS[1])";
  expect(await node.call('EVAL', unheard, 1, 'shop:{1}:1')).toBe(1);
  const [step] = await stage.attempt((acts) => acts.tryCopy(stage.order));
  expect(step).toMatchObject({ name: 'replication', result: 'failed' });
  expect(step?.found).toMatch(/differs from \S+ in 1 of \d+ keys: shop:\{1\}:1 \(only on the replica/);
}, 180_000);

test('it is measured as often as asked, and played on until that is ended', async () => {
  const policy = { rounds: 3, duration: 300, warmUp: 0, connections: 1, requests: 100, maxSpread: 0.15 };
  const rounds = await stage.attempt((acts) => acts.benchmarkCopy({ ...stage.order, shape, policy }));
  expect(rounds).toHaveLength(3);
  for (const { release, load, usage, throughput } of rounds) {
    expect(release).toBe('5.0.6');
    expect([load.operations > 0, load.failed]).toEqual([true, 0]);
    expect(usage.usedMemoryBytes).toBeGreaterThan(1e6);
    expect(throughput?.['get']).toBeGreaterThan(0);
  }
  const ends = new AbortController();
  const playing = stage.attempt((acts) => acts.loadCopy({ ...stage.order, shape }), ends.signal);
  // Longer than the keys take that it reads.
  setTimeout(() => ends.abort(cancelled()), 2000);
  const seen = await playing;
  expect([seen.operations > 100, seen.failed]).toEqual([true, 0]);
  const already = AbortSignal.abort(cancelled());
  expect(await stage.attempt((acts) => acts.loadCopy({ ...stage.order, shape }), already)).toMatchObject({
    operations: 0,
  });
}, 180_000);

test('it goes with all that it had, and nothing was written to production', async () => {
  expect((await stage.left()).length).toBeGreaterThan(6);
  await stage.attempt((acts) => acts.removeCopy(stage.order));
  expect(await stage.left()).toEqual([]);
  await stage.attempt((acts) => acts.removeCopy(stage.order));
  for (const { address } of cluster.nodes) {
    const info = parseInfo(String(await cluster.ask(address, 'INFO', 'commandstats')));
    expect(Object.keys(info).filter((it) => /cmdstat_(config\|set|restore|psetex|flush|eval)/.test(it))).toEqual([]);
  }
}, 120_000);

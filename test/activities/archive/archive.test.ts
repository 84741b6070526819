// An archive that skips a write, takes two histories for one, fills the memory, or is believed although it was changed.
import { readFile, rm, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { archivedStream } from '../../../activities/archived-stream.js';
import { runAfter, type Segment } from '../../../model/archive.js';
import { CommandParser } from '../../../redis/replication/command-parser.js';
import { readInfo } from '../../../redis/node.js';
import { until } from '../../../scripts/sandbox/cluster.js';
import { S3Server } from '../../../scripts/sandbox/s3-server.js';
import { Toxiproxy } from '../../../scripts/sandbox/toxiproxy.js';
import { ArchiveStage, contentOf } from './stage.js';

let s3: S3Server;
beforeAll(async () => {
  s3 = await S3Server.start();
});
afterAll(() => s3[Symbol.asyncDispose]());

const count = async (stage: ArchiveStage, from: number, to: number, node = stage.primary): Promise<void> => {
  for (let n = from; n < to; n++) await node.call('INCRBY', 'counter', n);
};
/** What is archived behind a snapshot, in order: each write once. */
async function archived(stage: ArchiveStage, snapshot: { replid: string; offset: number }): Promise<number[]> {
  const run = runAfter(await stage.stretches(), snapshot, '0-16383');
  const parser = new CommandParser(snapshot.offset);
  const found: number[] = [];
  for await (const { bytes } of archivedStream(stage, run?.segments ?? [], { after: snapshot.offset }))
    for (const { args } of parser.push(bytes)) if (String(args[1]) === 'counter') found.push(Number(args[2]));
  return found;
}
const numbers = (to: number): number[] => Array.from({ length: to }, (_, i) => i);
const file = async (stage: ArchiveStage, { object }: Segment): Promise<string> => {
  const found = (await s3.files()).find((path) => path.endsWith(object) && path.includes(stage.prefix));
  if (found === undefined) throw new Error(`${object} is nowhere`);
  return found;
};

test.each(['5.0', 'valkey-9.1'])(
  '%s: it ends and begins again, its replica dies, its primary fails over: each write is there once',
  async (release) => {
    await using stage = await ArchiveStage.open(release, s3, { replicas: 2 });
    stage.order = [1, 2, 0];
    const snapshot = await stage.archiving();
    await count(stage, 0, 200);
    // Told to end, it stores what it has; begun again, it asks the store where it was.
    await stage.stop();
    await count(stage, 200, 400);
    stage.begin({ snapshotComing: true });
    await until('it reads from the first replica', () => stage.state?.role === 'replica');
    const [primary, first, second] = stage.sandbox.nodes;
    const successor = stage.nodes[2];
    if (!primary || !first || !second || !successor) throw new Error('there are too few nodes');
    await stage.sandbox.kill(first);
    await count(stage, 400, 600);
    await until('it reads from the other', () => stage.state?.node === second.address);
    await stage.stored(await stage.offset());
    // The other takes over, and goes on under an id of its own.
    const before = await stage.offset();
    await until('it has everything', async () => Number((await readInfo(successor, 'replication'))['slave_repl_offset']) >= before); // prettier-ignore
    await stage.sandbox.kill(primary);
    await successor.call('REPLICAOF', 'NO', 'ONE');
    stage.order = [2];
    await count(stage, 600, 800, successor);
    await stage.stored(Number((await readInfo(successor, 'replication'))['master_repl_offset']));
    await stage.stop();

    expect(await archived(stage, snapshot)).toEqual(numbers(800));
    const stretches = await stage.stretches();
    expect(stretches).toHaveLength(1);
    const histories = new Set(stretches[0]?.segments.map(({ replid }) => replid));
    expect(histories.size).toBe(2);
    const last = stretches[0]?.segments.at(-1)?.end ?? 0;
    const content = await contentOf(stage.at(snapshot, last));
    expect([...content.keys()].sort()).toEqual(['0 counter', '0 first']);
  },
  240_000,
);

test('a primary that never had a replica keeps nothing: a backup is asked for first, and all behind it is archived', async () => {
  await using stage = await ArchiveStage.open('7.0', s3, { replicas: 0 });
  stage.order = [0];
  await count(stage, 0, 50);
  stage.begin();
  expect(await stage.ended()).toMatchObject({ kind: 'needsSnapshot', why: expect.stringMatching(/no node keeps/) as string }); // prettier-ignore
  stage.begin({ snapshotComing: true });
  await until('it waits for the backup', () => /backup on that is being taken/.test(stage.state?.problem ?? ''));
  const snapshot = await stage.backUp();
  await count(stage, 0, 50);
  await stage.stored(await stage.offset());
  expect(await archived(stage, snapshot)).toEqual(numbers(50));
  expect(await stage.stretches()).toHaveLength(1);
});

test('a store that is away: no more than so much is held, and nothing is missing once it is back', async () => {
  await using toxiproxy = await Toxiproxy.start();
  const proxy = await toxiproxy.proxy('s3', s3.address);
  await using stage = await ArchiveStage.open('7.0', s3, { endpoint: `http://${proxy.address}` });
  const rollBytes = 64 * 1024;
  const snapshot = await stage.archiving({ rollBytes });
  await count(stage, 0, 100);
  await stage.stored(await stage.offset());
  await proxy.cut();
  const value = 'x'.repeat(10_000);
  for (let i = 0; i < 300; i++) await stage.primary.call('SET', `large:${i}`, value);
  await count(stage, 100, 200);
  const offset = await stage.offset();
  await until('it says that the store is away', () => stage.state?.problem !== undefined, 60_000);
  await until('it holds what it may', () => (stage.state?.heldBytes ?? 0) > 4 * rollBytes);
  await proxy.mend();
  await stage.stored(offset);
  await stage.stop();
  // Four that wait, one that is filled, and what came with the last read.
  expect(Math.max(...stage.states.map(({ heldBytes }) => heldBytes))).toBeLessThan(6 * rollBytes + 64 * 1024);
  expect(await archived(stage, snapshot)).toEqual(numbers(200));
}, 240_000);

test('what was not kept is a gap: it is said, a backup is asked for, and nothing goes on over it', async () => {
  const configuration = ['repl-backlog-size 16384'];
  await using stage = await ArchiveStage.open('8.0', s3, { configuration });
  const snapshot = await stage.archiving();
  await count(stage, 0, 50);
  const offset = await stage.offset();
  await stage.stored(offset);
  await stage.stop();
  for (let i = 0; i < 20; i++) await stage.primary.call('SET', `large:${i}`, 'x'.repeat(10_000));

  stage.begin();
  expect(await stage.ended()).toMatchObject({
    kind: 'needsSnapshot',
    why: expect.stringMatching(/was not kept/) as string,
  });
  expect(await stage.stretches()).toHaveLength(2);
  expect((await archived(stage, snapshot)).length).toBe(50);
  stage.begin();
  expect(await stage.ended()).toMatchObject({
    kind: 'needsSnapshot',
    why: expect.stringMatching(/no backup lies/) as string,
  });
  const later = await stage.backUp();
  stage.begin();
  await count(stage, 50, 60);
  const after = await stage.offset();
  await stage.stored(after);
  await expect(contentOf(stage.at(snapshot, after))).rejects.toThrow(/the archive goes on from there to \d+$/);
  expect((await contentOf(stage.at(snapshot, offset))).has('0 large:1')).toBe(false);
  expect((await contentOf(stage.at(later, after))).has('0 large:1')).toBe(true);
  stage.moved = 'no shard has the slots 0-16383 any more';
  expect(await stage.ended()).toEqual({ kind: 'moved', why: stage.moved });
}, 240_000);

test('a segment that is missing, cut, turned in a bit or put in another’s place is refused by its name', async () => {
  await using stage = await ArchiveStage.open('7.0', s3);
  const snapshot = await stage.archiving();
  for (let i = 0; i < 3; i++) {
    await count(stage, i * 50, i * 50 + 50);
    await stage.stored(await stage.offset());
  }
  await stage.stop();
  const run = runAfter(await stage.stretches(), snapshot, '0-16383');
  const last = run?.segments.at(-1);
  const [one, two] = run?.segments.slice(-3) ?? [];
  if (!last || !one || !two || two === last) throw new Error('there are too few segments');
  const read = (): Promise<unknown> => contentOf(stage.at(snapshot, last.end));
  await read();
  const [path, whole] = [await file(stage, two), await readFile(await file(stage, two))];
  const refused = async (bytes: Buffer): Promise<void> => {
    await writeFile(path, bytes);
    await expect(read()).rejects.toMatchObject({
      type: 'Damaged',
      message: expect.stringContaining(two.object) as string,
    });
  };
  const turned = Buffer.from(whole);
  const at = Math.floor(whole.length / 2);
  turned[at] = (turned[at] ?? 0) ^ 16;
  await refused(turned);
  await refused(whole.subarray(0, -5));
  await refused(Buffer.concat([whole, Buffer.from('x')]));
  await refused(await readFile(await file(stage, one)));
  await rm(path);
  await expect(read()).rejects.toMatchObject({ type: 'NotCaughtUp', message: expect.stringMatching(new RegExp(`goes on from there to ${two.first - 1}$`)) as string }); // prettier-ignore
}, 240_000);

test('a value larger than a segment is archived in several, and brought back', async () => {
  await using stage = await ArchiveStage.open('8.0', s3);
  const snapshot = await stage.archiving({ rollBytes: 100_000 });
  await stage.primary.call('SET', 'huge', Buffer.alloc(3_000_000, 'abc'));
  await stage.primary.call('APPEND', 'huge', 'end');
  const offset = await stage.offset();
  await stage.stored(offset);
  const then = await stage.now();
  const segments = (await stage.archive.segments()).length;
  expect(segments).toBeGreaterThan(10);
  const found = await contentOf(stage.at(snapshot, offset));
  expect(found.get('0 huge')).toEqual(then.content.get('0 huge'));
}, 240_000);

// An archive that loses what was written while its store was full, or let nobody in; or one that says nothing of it.
import { rm, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { archivedStream } from '../../../activities/archived-stream.js';
import { runAfter } from '../../../model/archive.js';
import { CommandParser } from '../../../redis/replication/command-parser.js';
import { until } from '../../../scripts/sandbox/cluster.js';
import { S3Server } from '../../../scripts/sandbox/s3-server.js';
import { answerError, StoreBetween } from '../../e2e/stage/store-between.js';
import { ArchiveStage } from './stage.js';

const MB = 1024 ** 2;
const count = async (stage: ArchiveStage, from: number, to: number): Promise<void> => {
  for (let n = from; n < to; n++) await stage.primary.call('INCRBY', 'counter', n);
};
async function expectEach(
  stage: ArchiveStage,
  snapshot: { replid: string; offset: number },
  to: number,
): Promise<void> {
  const run = runAfter(await stage.stretches(), snapshot, '0-16383');
  const parser = new CommandParser(snapshot.offset);
  const found: number[] = [];
  for await (const { bytes } of archivedStream(stage, run?.segments ?? [], { after: snapshot.offset }))
    for (const { args } of parser.push(bytes)) if (String(args[1]) === 'counter') found.push(Number(args[2]));
  expect(found).toEqual(Array.from({ length: to }, (_, n) => n));
}

test.runIf(process.platform === 'linux' && process.getuid?.() === 0)(
  'a store that is full: it stands still and says so, and goes on where it was once there is room',
  async () => {
    await using s3 = await S3Server.start({ diskBytes: 16 * MB });
    await using stage = await ArchiveStage.open('7.0', s3);
    const snapshot = await stage.archiving();
    await count(stage, 0, 100);
    await stage.stored(await stage.offset());
    const filler = s3.file('filler');
    // Up to the last byte.
    for (let bytes = MB; bytes >= 4096; bytes /= 2)
      for (let more = true; more;)
        more = await writeFile(filler, Buffer.alloc(bytes), { flag: 'a' }).then(() => true, () => false); // prettier-ignore
    await count(stage, 100, 300);
    await until(
      'it says that there is no room',
      () => /full|no space|quota|507/i.test(stage.state?.problem ?? ''),
      60_000,
    );
    const stored = stage.state?.stored ?? 0;
    expect(stored).toBeLessThan(await stage.offset());
    expect(stage.state?.heldBytes).toBeGreaterThan(0);
    await rm(filler);
    await stage.stored(await stage.offset());
    await stage.stop();
    await expectEach(stage, snapshot, 300);
    expect(await stage.stretches()).toHaveLength(1);
  },
  240_000,
);

test('credentials that expire: newer ones are looked for until there are some, and nothing is missing', async () => {
  await using s3 = await S3Server.start();
  await using between = await StoreBetween.to(s3.endpoint);
  await using stage = await ArchiveStage.open('7.0', s3, { endpoint: between.endpoint });
  let looked = 0;
  // eslint-disable-next-line @typescript-eslint/require-await -- what it stands for waits
  const reopen = async () => {
    looked++;
    if (looked === 1) throw new Error('they can’t be read just now');
    return stage.archive;
  };
  const snapshot = await stage.archiving({ reopen });
  await count(stage, 0, 100);
  await stage.stored(await stage.offset());
  between.refuse = ({ method }, answer) =>
    looked < 3 && method === 'PUT' && answerError(answer, 400, 'ExpiredToken', 'The provided token has expired.');
  await count(stage, 100, 200);
  await until('it says so', () => /ExpiredToken.*secretAccessKey/.test(stage.state?.problem ?? ''), 60_000);
  await stage.stored(await stage.offset());
  await stage.stop();
  expect(looked).toBe(3);
  expect(stage.states.at(-1)?.problem).toBeUndefined();
  await expectEach(stage, snapshot, 200);
}, 240_000);

// A server that was to prove a backup and outlives it, or takes half of one for the whole.
import { readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadIntoScratch } from '../../activities/scratch-server.js';
import { atLeast } from '../../model/release.js';
import { findServers } from '../../platforms/process/servers.js';
import { Sandbox } from '../../scripts/sandbox/cluster.js';
import { populate } from '../redis/rdb/dataset.js';

const servers = [...(await findServers())];
const { signal } = new AbortController();

// eslint-disable-next-line @typescript-eslint/require-await -- what it stands for waits
async function* pieces(bytes: Buffer): AsyncGenerator<Buffer, void, void> {
  for (let at = 0; at < bytes.length; at += 10_000) yield bytes.subarray(at, at + 10_000);
}
const leftovers = async (): Promise<string[]> =>
  (await readdir(tmpdir())).filter((name) => name.startsWith(`redis-rollout-scratch-${process.pid}-`));

test.each(servers)(
  '%s loads all of a snapshot, expired keys among them, and nothing is left',
  async (release, program) => {
    // To see what becomes of a key that has expired, and is still there.
    const configuration = atLeast(release, 7, 0) ? ['enable-debug-command yes'] : [];
    await using sandbox = await Sandbox.servers(1, { release, configuration });
    await using node = await sandbox.connect();
    const { databases } = await populate(node, release);
    await node.call('DEBUG', 'SET-ACTIVE-EXPIRE', 0);
    await node.call('SET', 'gone', 'soon', 'PX', 1);
    await node.call('SAVE');
    const bytes = await readFile(join(sandbox.nodes[0]?.home ?? '', 'dump.rdb'));
    const load = (rdb: Buffer) => loadIntoScratch({ program, rdb: pieces(rdb), databases: 16, signal });

    const loaded = await load(bytes);

    expect(Object.fromEntries(loaded)).toEqual({ ...databases, 0: (databases[0] ?? 0) + 1 });
    await expect(load(bytes.subarray(0, -100))).rejects.toMatchObject({ type: 'StartFailed' });
    async function* failing(): AsyncGenerator<Buffer, void, void> {
      yield* pieces(bytes.subarray(0, 10_000));
      throw new Error('the object is damaged');
    }
    await expect(loadIntoScratch({ program, rdb: failing(), databases: 16, signal })).rejects.toThrow('is damaged');
    expect(await leftovers()).toEqual([]);
  },
);

test('one that does not start says why', async () => {
  const load = loadIntoScratch({ program: '/bin/false', rdb: pieces(Buffer.from('REDIS')), databases: 16, signal });
  await expect(load).rejects.toThrow('/bin/false did not start: its log is empty');
});

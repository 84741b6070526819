import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseInfo } from '../../redis/info.js';
import { Sandbox, until, type SandboxNode } from '../../scripts/sandbox/cluster.js';
import { Stage } from '../../scripts/sandbox/stage.js';
import { Dataset } from './stage/dataset.js';
import { expectCompleted, readReport } from './stage/evidence.js';
import { expectWhole, readNodes } from './stage/nodes.js';

// After the handover the old primary asks its newer successor for the stream, and the backlog is too small: it is given a
// dataset that it can't read, and has emptied itself and overwritten its file by then (docs/decisions/0009).
let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open({ quickRetries: true });
});
afterAll(() => stage[Symbol.asyncDispose]());

test('5.0.6 → 8.0: the old primary is emptied by a full sync from its successor, and comes back from its snapshot', async () => {
  await using cluster = await Sandbox.cluster({
    release: '5.0.6',
    primaries: 1,
    configuration: ['repl-backlog-size 16kb'],
  });
  const [old, successor] = cluster.nodes;
  if (!old || !successor) throw new Error('two nodes expected');
  const dataset = await Dataset.write(cluster, 300);
  const before = await readNodes(cluster);
  await stage.deploy('emptied', cluster, { policy: { canarySoak: '0s', backlog: { seconds: 1, grow: false } } });
  await stage.faults.draw({ activity: 'swapVersion', when: 'before', kind: 'kill', node: old.address });
  const operation = await stage.start('emptied', '8.0');
  await until(
    'the worker dies between handover and stop',
    async () => (await stage.faults.fired()).length > 0,
    120_000,
  );

  await using newer = await cluster.connect(successor);
  await newer.call('CLIENT', 'KILL', 'TYPE', 'replica');
  for (let i = 0; i < 100; i++) await newer.call('SET', `{meanwhile}:${i}`, `${i}:`.padEnd(2000, 'x'));
  await using older = await cluster.connect(old);
  const keys = async (): Promise<number> => Number(await older.call('DBSIZE'));
  await until('the old primary holds nothing any more', async () => (await keys()) === 0);
  expect(parseInfo(String(await older.call('INFO', 'replication')))['master_link_status']).toBe('down');
  await until('and its file is of a version that it can’t read', async () => (await rdbVersion(old)) > 9);
  await stage.startWorker();

  const outcome = await operation.result();
  expectCompleted(outcome);
  await expectWhole(cluster, { release: '8.0.6', before });
  await dataset.expectSame(10_000);
  await using again = await cluster.connect(old);
  await again.call('READONLY');
  expect(await again.call('GET', '{meanwhile}:99')).toContain('99:');
  const { resyncs, verify } = await readReport(outcome);
  expect(resyncs.find(({ node }) => node === old.address)).toMatchObject({ kind: 'full' });
  expect(verify.every(({ different }) => different === 0)).toBe(true);
}, 480_000);

/** `REDIS0009` is how a file of version 9 begins. */
async function rdbVersion({ home }: SandboxNode): Promise<number> {
  const file = await open(join(home, 'dump.rdb'));
  try {
    return Number((await file.read(Buffer.alloc(9), 0, 9, 0)).buffer.toString('latin1').slice(5));
  } finally {
    await file.close();
  }
}

import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseInfo } from '../../redis/info.js';
import { Sandbox, until } from '../../scripts/sandbox/cluster.js';
import { Dataset } from './stage/dataset.js';
import { expectCompleted, readReport } from './stage/evidence.js';
import { expectWhole, readNodes } from './stage/nodes.js';
import { Stage } from '../../scripts/sandbox/stage.js';

// An upgrade was aborted half way, and then somebody failed the shard over by hand: the 5.0.6 node follows an 8.0 primary,
// its link looks healthy, and it has silently dropped every write that it could not parse.
let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open();
});
afterAll(() => stage[Symbol.asyncDispose]());

test('what an old replica of a newer primary holds is neither backed up nor started on', async () => {
  await using cluster = await Sandbox.cluster({ release: '5.0.6', primaries: 1 });
  const [old, replica] = cluster.nodes;
  if (!old || !replica) throw new Error('two nodes expected');
  const dataset = await Dataset.write(cluster, 300);
  const before = await readNodes(cluster);
  await stage.deploy('poisoned', cluster, {
    policy: { roles: { engineering: ['ana'] }, approvals: { handover: { roles: ['engineering'] } } },
  });
  const first = await stage.start('poisoned', '8.0');
  await first.waits('approval', 'handover');
  await first.tell('abort', { by: 'ana', reason: 'not today' });
  expect((await first.result()).result).toBe('aborted');

  await using newer = await cluster.connect(replica);
  await newer.call('CLUSTER', 'FAILOVER');
  await until('the 8.0 node is primary', async () => ((await newer.call('ROLE')) as [string])[0] === 'master');
  // SET … EX arrives as SET … PXAT, which 5.0.6 can't parse: it keeps neither of them, and says nothing.
  for (let i = 0; i < 50; i++) await newer.call('SET', `{order}:${i}`, 'paid', 'EX', 3600);
  await using older = await cluster.connect(old);
  const info = async (): Promise<Record<string, string>> => parseInfo(String(await older.call('INFO')));
  await until('its link looks healthy', async () => (await info())['master_link_status'] === 'up');
  await older.call('READONLY');
  await until('and its offset is equal', async () => {
    const offset = parseInfo(String(await newer.call('INFO', 'replication')))['master_repl_offset'];
    return (await info())['slave_repl_offset'] === offset;
  });
  expect(await older.call('EXISTS', '{order}:7')).toBe(0);

  const second = await stage.start('poisoned', '8.0');
  const outcome = await second.result();

  expectCompleted(outcome);
  const report = await readReport(outcome);
  expect(report.backups.map(({ node }) => node)).toEqual([replica.address]);
  expect(report.resyncs).toMatchObject([{ node: old.address, kind: 'full' }]);
  expect(report.verify.every(({ different }) => different === 0)).toBe(true);
  await using again = await cluster.connect(old);
  await again.call('READONLY');
  expect(await again.call('GET', '{order}:7')).toBe('paid');
  await expectWhole(cluster, { release: '8.0.6', before });
  await dataset.expectSame(10_000);
}, 600_000);

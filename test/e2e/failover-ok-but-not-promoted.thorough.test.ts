import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TimelineEntry } from '../../model/operation.js';
import { Sandbox, type SandboxNode } from '../../scripts/sandbox/cluster.js';
import { Dataset } from './stage/dataset.js';
import { expectCompleted, expectNothingLost } from './stage/evidence.js';
import { expectWhole, readNodes } from './stage/nodes.js';
import { Stage } from '../../scripts/sandbox/stage.js';

// CLUSTER FAILOVER says OK, and nobody votes: the upgrade stops and says so, and the old primary serves as before.
let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open();
});
afterAll(() => stage[Symbol.asyncDispose]());

test('the other primaries hang when they are asked for their vote', async () => {
  // Short, so that both tries of a failover pass soon.
  await using cluster = await Sandbox.cluster({ release: '7.0', configuration: ['cluster-node-timeout 2000'] });
  const dataset = await Dataset.write(cluster, 400);
  const before = await readNodes(cluster);
  const file = { policy: { canarySoak: '0s', soak: '0s', handover: 'safe' as const } };
  await stage.deploy('orders', cluster, file);

  const primaries = cluster.nodes.slice(0, 3);
  // A save that takes a while is a moment that can be met: after the gates, before the handover.
  await saveSlowly(cluster, primaries, 30_000);

  const operation = await stage.start('orders', '8.0');
  const { timeline } = await operation.until('the old primary saves', (_, entries) =>
    entries.some((entry) => isSaveOf(entry, primaries)),
  );
  const old = timeline.find((entry) => isSaveOf(entry, primaries))?.node ?? '';
  const others = primaries.filter((node) => node.address !== old);
  expect(others).toHaveLength(2);
  for (const node of others) await cluster.signal(node, 'SIGSTOP');
  await operation.until('the handover is given up', (_, entries) =>
    entries.some(({ kind, text }) => kind === 'failure' && text.startsWith('hand over to ')),
  );
  for (const node of others) await cluster.signal(node, 'SIGCONT');
  const { type, message } = await operation.failure();
  await saveSlowly(cluster, primaries, 0);

  expect(type).toBe('HandoverFailed');
  expect(message).toMatch(/accepted CLUSTER FAILOVER twice and is still a replica/);
  expect(message).toContain(`${old} serves on`);
  expect(message).toContain('1 of 6 nodes run 8.0.6');
  await expectNothingLost(operation);
  const { status } = await operation.read();
  const upgraded = status.shards.flatMap(({ nodes }) => nodes).find((node) => node.state === 'upgraded')?.address;
  await expectWhole(cluster, {
    release: cluster.nodes.map((node) => (node.address === upgraded ? '8.0.6' : '7.0.15')),
    before,
  });
  expect((await readNodes(cluster)).map(({ role }) => role)).toEqual(before.map(({ role }) => role));

  const outcome = await (await stage.start('orders', '8.0')).result();
  expectCompleted(outcome);
  await expectWhole(cluster, { release: '8.0.6', before });
  await dataset.expectSame(10_000);
}, 600_000);

const isSaveOf = ({ text, node }: TimelineEntry, primaries: readonly SandboxNode[]): boolean =>
  text.startsWith('save') && primaries.some((primary) => primary.address === node);

/** @param perKey µs (rdb-key-save-delay, made for Redis' own tests) */
async function saveSlowly(cluster: Sandbox, nodes: readonly SandboxNode[], perKey: number): Promise<void> {
  for (const node of nodes) {
    await using connection = await cluster.connect(node);
    await connection.call('CONFIG', 'SET', 'rdb-key-save-delay', perKey);
  }
}

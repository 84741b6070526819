import { expect, test } from 'vitest';
import { Sandbox } from '../../scripts/sandbox/cluster.js';

test.each(['5.0.6', '8.0', 'valkey-9.1'])('a 3+3 cluster of %s forms and ends', async (release) => {
  await using cluster = await Sandbox.cluster({ release });
  await using node = await cluster.connect();
  expect(String(await node.call('CLUSTER', 'INFO'))).toContain('cluster_state:ok');
  expect(cluster.nodes).toHaveLength(6);
});

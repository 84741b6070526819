// An old primary that hangs when it is to hand over serves nobody: that is told with the first deadline.
import { expect, test } from 'vitest';
import { mustBeHeard } from '../../activities/handover.js';
import { handOver } from '../../redis/handover.js';
import { Sandbox } from '../../scripts/sandbox/cluster.js';

test('an old primary that hangs is told before its handover, and doesn’t matter after it', async () => {
  await using cluster = await Sandbox.cluster({ release: '7.0', configuration: ['cluster-node-timeout 60000'] });
  const [old, , , next] = cluster.nodes;
  if (!old || !next) throw new Error('six nodes expected');
  const endpoint = cluster.endpoint(next);
  const [from, to] = [old.address, next.address];
  await mustBeHeard(endpoint, from, to);

  await cluster.signal(old, 'SIGSTOP');
  await expect(mustBeHeard(endpoint, from, to)).rejects.toMatchObject({
    type: 'NodeHung',
    message: expect.stringContaining(from) as string,
  });
  await cluster.signal(old, 'SIGCONT');

  const nodes = cluster.nodes.map(({ address }) => address);
  await handOver({ endpoint, from, to, siblings: [], nodes, mode: 'safe', confirmWithinMs: 30_000 });
  await cluster.signal(old, 'SIGSTOP');
  try {
    await mustBeHeard(endpoint, from, to);
  } finally {
    await cluster.signal(old, 'SIGCONT');
  }
}, 240_000);

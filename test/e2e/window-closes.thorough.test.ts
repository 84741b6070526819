import { expect, test } from 'vitest';
import { weekdays } from '../../model/windows.js';
import { Sandbox } from '../../scripts/sandbox/cluster.js';
import { promotable } from '../../scripts/sandbox/node-states.js';
import { Stage } from '../../scripts/sandbox/stage.js';
import { expectNothingLost } from './stage/evidence.js';
import { expectWhole, readNodes } from './stage/nodes.js';

// The night is over while somebody still thinks about the handover: it waits for the next window, or for a name.
test('a window closes in the middle: what is in hand is finished, nothing is begun outside but by name', async () => {
  await using stage = await Stage.open();
  await using cluster = await Sandbox.cluster({ release: '7.0', primaries: 1 });
  const before = await readNodes(cluster);
  const time = (at: number): string => new Date(at).toISOString().slice(11, 19);
  const closes = Date.now() + 30_000;
  await stage.deploy('orders', cluster, {
    policy: {
      canarySoak: '0s',
      windows: [{ days: [...weekdays], from: time(closes - 3_600_000), to: time(closes), timezone: 'UTC' }],
      roles: { operations: ['ana'] },
      approvals: { handover: { roles: ['operations'] } },
    },
  });
  const operation = await stage.start('orders', '8.0');
  const isOutside = ({ name }: { name: string }): boolean => name === 'window';
  // On a slow machine the window may be over before the replica: then it takes a name already.
  const { status } = await operation.until('the handover is asked for, or the window is over', ({ waiting }) =>
    waiting.some((it) => isOutside(it) || it.name === 'handover'),
  );
  if (status.waiting.some(isOutside)) await operation.tell('override', { by: 'ana', gate: 'window', reason: 'slow' });
  await operation.waits('approval', 'handover');
  await expect.poll(() => Date.now() > closes, { timeout: 60_000, interval: 200 }).toBe(true);
  await operation.tell('approve', { by: 'ana' });

  const { status: held } = await operation.waits('gate', 'window');
  expect(held.waiting.find(isOutside)).toMatchObject({
    reason: 'before the handover of shard-1: outside of the maintenance windows',
    clears: expect.stringContaining('the window opens') as string,
  });
  // The replica that was in hand is done and may be promoted again.
  const nodes = await readNodes(cluster);
  expect(nodes.map(({ release }) => release)).toEqual(['7.0.15', '8.0.6']);
  expect(nodes.map(promotable)).toEqual(before.map(promotable));
  expect(await operation.tell('override', { by: 'ana', gate: 'window', reason: 'nobody is there anyway' })).toEqual({
    done: 'window overridden by ana, on record',
  });
  expect(await operation.result()).toMatchObject({ result: 'completed' });
  const { timeline } = await operation.read();
  const [swap, handover] = ['isolate', 'hand over to'].map((text) => timeline.find((it) => it.text.startsWith(text)));
  expect(Date.parse(handover?.at ?? '')).toBeGreaterThan(closes);
  expect(swap).toBeDefined();
  await expectNothingLost(operation);
  await expectWhole(cluster, { release: '8.0.6', before });
}, 600_000);

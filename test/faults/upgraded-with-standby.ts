import { expect } from 'vitest';
import type { Sandbox } from '../../scripts/sandbox/cluster.js';
import { readNodes } from '../../scripts/sandbox/node-states.js';
import { Dataset } from '../e2e/stage/dataset.js';
import type { FaultStage } from './strikes.js';

/** A shard with data that was upgraded and has a standby; its upgrade has ended in the soak, so that a fallback can begin. */
export async function untilItSoaks(
  { stage, servers }: FaultStage,
  cluster: Sandbox,
  { name, to }: { name: string; to: string },
): Promise<{ dataset: Dataset; before: Awaited<ReturnType<typeof readNodes>> }> {
  const dataset = await Dataset.write(cluster, 100);
  const before = await readNodes(cluster);
  await stage.deploy(name, cluster, {
    platform: { kind: 'process', servers },
    policy: {
      ...{ fallback: 'standby', canarySoak: '0s', soak: '1h', handover: 'fast', settle: '1s' },
      gates: { maxLatency: '500ms' },
    },
  });
  const upgrade = await stage.start(name, to);
  await upgrade.until('it soaks', ({ phase }) => phase === 'soaking');
  await upgrade.tell('abort', { by: 'ana' });
  expect(await upgrade.result()).toMatchObject({ result: 'aborted' });
  return { dataset, before };
}

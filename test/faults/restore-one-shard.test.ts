// One shard goes back to its backup, a replica of it hanging; the others stay where they are, and what was restored is there
// again whoever of the shard is started anew.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { keySlot } from '../../redis/probe/slot.js';
import { readTopology } from '../../redis/topology.js';
import { Sandbox, until, type SandboxNode } from '../../scripts/sandbox/cluster.js';
import { readNodes } from '../../scripts/sandbox/node-states.js';
import { Stage } from '../../scripts/sandbox/stage.js';
import { Dataset } from '../e2e/stage/dataset.js';
import { readReport } from '../e2e/stage/evidence.js';
import { expectNoOthers, expectWhole, nodeAt } from '../e2e/stage/nodes.js';

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open();
});
afterAll(() => stage[Symbol.asyncDispose]());

test.each(['5.0.6', '7.0.15'])(
  'one shard of three from 8.0.6 to the backup of %s, its replica hanging; then both are killed and started again',
  async (from) => {
    await using cluster = await Sandbox.cluster({ release: from });
    const dataset = await Dataset.write(cluster, 300);
    const before = await readNodes(cluster);
    const seeds = cluster.nodes.map(({ address }) => address);
    const name = `one-shard-of-${from}`.replaceAll('.', '-');
    await stage.deploy(name, cluster, {
      policy: {
        ...{ fallback: 'backup', soak: '1h', canarySoak: '0s', parallelShards: 3 },
        roles: { engineering: ['ana'], operations: ['ben'] },
      },
    });
    const upgrade = await stage.start(name, '8.0');
    await upgrade.until('it soaks', ({ phase }) => phase === 'soaking', 300_000);
    await upgrade.tell('abort', { by: 'ana' });
    await upgrade.result();
    const [shard, ...others] = (await readTopology(cluster.endpoint(), seeds)).shards;
    const own = [shard?.primary, ...(shard?.replicas ?? [])].map((it) => nodeAt(cluster, it?.address));
    const [primary, replica] = own as [SandboxNode, SandboxNode];
    const slots = shard?.slots ?? [];
    const key = keyWithin(slots);
    await cluster.ask(primary.address, 'SET', key, 'after the backup');
    await cluster.signal(replica, 'SIGSTOP');

    const back = await stage.startFallback(name, {
      ...{ reason: 'it corrupts carts', restore: true, startedBy: 'ana', shards: ['shard-1'] },
    });
    const { status } = await back.waits('approval', 'restore', 300_000);
    expect(status.approvals.at(-1)?.question).toMatch(/^(?!.*shard-2).*shard-1, served by .* on 8\.0\.6/s);
    expect(await back.tell('approve', { by: 'ben' })).toHaveProperty('done');
    await back.until('it has ended', ({ result }) => result !== undefined, 300_000);
    const outcome = await back.result();

    expect(outcome.result).toBe('completed');
    const releases = cluster.nodes.map((node) => (own.includes(node) ? from : '8.0.6'));
    await expectWhole(cluster, { release: releases, before });
    const { restores, releases: changed } = await readReport(outcome);
    expect(restores).toMatchObject([{ shard: 'shard-1', verified: { different: 0 } }]);
    expect(new Set(changed.map(({ node }) => node))).toEqual(new Set(own.map(({ address }) => address)));
    await dataset.expectSame(10_000);
    expect(await cluster.ask((await servingNow(cluster, key)).address, 'EXISTS', key)).toBe(0);

    for (const node of own) {
      await cluster.kill(node);
      await cluster.start(node);
      await expectWhole(cluster, { release: releases, before });
    }
    await dataset.expectSame(10_000);
    await expectNoOthers(cluster);
    expect(others).toHaveLength(2);
  },
  1_800_000,
);

/** Whoever has the key's slot, once somebody has. */
async function servingNow(cluster: Sandbox, key: string): Promise<SandboxNode> {
  const seeds = cluster.nodes.map(({ address }) => address);
  let serving: string | undefined;
  await until('its slot is served', async () => {
    const { shards } = await readTopology(cluster.endpoint(), seeds);
    serving = shards.find(({ slots }) => slots.some(([a, b]) => a <= keySlot(key) && keySlot(key) <= b))?.primary
      .address;
    return serving !== undefined;
  });
  return nodeAt(cluster, serving);
}

function keyWithin(slots: readonly (readonly [number, number])[]): string {
  for (let n = 0; ; n++) {
    const key = `later-${n}`;
    if (slots.some(([a, b]) => a <= keySlot(key) && keySlot(key) <= b)) return key;
  }
}

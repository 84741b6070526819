// After the last node was upgraded, with clients writing all the while, it goes back in place, and no write is lost.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { atLeast } from '../../model/release.js';
import { Sandbox, until } from '../../scripts/sandbox/cluster.js';
import type { Operation } from '../../scripts/sandbox/operation.js';
import { claimPort } from '../../scripts/sandbox/ports.js';
import { Stage } from '../../scripts/sandbox/stage.js';
import { withLiveStandbys } from '../../workers/live-standbys.js';
import { OperationReader } from '../../workers/read-operation.js';
import { documentedForStandby, documentedUser } from '../redis/documented-acl.js';
import { Dataset } from './stage/dataset.js';
import { readReport } from './stage/evidence.js';
import { expectNoOthers, expectWhole, readNodes } from './stage/nodes.js';
import { usually } from '../thorough.js';

const password = 'swordfish-of-rollout';
let stage: Stage;
let metrics: Awaited<ReturnType<typeof claimPort>>;
beforeAll(async () => {
  metrics = await claimPort();
  stage = await Stage.open({
    environment: { ROLLOUT_METRICS: `127.0.0.1:${metrics.port}`, ROLLOUT_PASSWORD: password },
  });
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
  metrics.release();
});

interface Pair {
  from: string;
  to: string;
  handover: 'safe' | 'fast';
  primaries: number;
  /** Patience between two changes of role, where it is not the default. */
  settle?: string;
  /** As the user that the page on requirements tells people to make. */
  asUser?: boolean;
}

const pairs: Pair[] = [
  // There, back and there again of 5.0.6 and 8.0.6 is in staging.test.ts.
  { from: '7.2.4', to: 'valkey-9.1.2', handover: 'fast', primaries: 1, settle: '1s', asUser: true },
  { from: '5.0.6', to: '8.0.2', handover: 'safe', primaries: 3 },
  { from: '8.0.6', to: '8.2.3', handover: 'fast', primaries: 1, settle: '1s', asUser: true },
  { from: '7.0.15', to: '8.0.6', handover: 'fast', primaries: 1, settle: '1s' },
  { from: '6.2.14', to: '8.2.3', handover: 'safe', primaries: 1, settle: '1s' },
  { from: '5.0.6', to: '7.0.15', handover: 'safe', primaries: 1, settle: '1s' },
];

test.each(usually(1, pairs))(
  '$from → $to, and all the way back',
  async ({ from, to, handover, primaries, settle, asUser }) => {
    const acl = ['user default on nopass ~* &* +@all', `${documentedUser(password)} ${documentedForStandby}`];
    await using cluster = await Sandbox.cluster({
      release: from,
      primaries,
      ...(asUser ? { configuration: acl } : {}),
    });
    const dataset = await Dataset.write(cluster, 200 * primaries);
    const before = await readNodes(cluster);
    const name = `back-from-${to}`.replaceAll('.', '-');
    await stage.deploy(name, cluster, {
      policy: { fallback: 'standby', soak: '1h', parallelShards: primaries, handover, ...(settle ? { settle } : {}) },
      ...(asUser ? { credentials: { username: 'rollout', password: 'env:ROLLOUT_PASSWORD' } } : {}),
    });
    const upgrade = await stage.start(name, to);
    const { status } = await upgrade.until('it soaks', ({ phase }) => phase === 'soaking', 300_000);
    expect(status.fallback).toMatchObject({ class: 'lossless', policy: 'standby' });
    const shards = Array.from({ length: primaries }, (_, i) => `shard-${i + 1}`);
    expect(status.fallback?.standbys.map(({ shard, state }) => `${shard} ${state}`)).toEqual(
      shards.map((shard) => `${shard} frozen`),
    );

    // One that was just frozen is compared for the first time: in one pair it is waited for. It gives way on a busy machine.
    const passes = primaries > 1 ? 1 : 0;
    await until(
      'each standby is heard of now, and was compared whole',
      async () => {
        const { status, description } = await seen(upgrade);
        const live = withLiveStandbys(status, description, stage.client.workflow).fallback?.standbys ?? [];
        return (
          live.length === primaries && live.every((it) => it.live === true && (it.comparison?.passes ?? -1) >= passes)
        );
      },
      120_000,
    );
    const scraped = await (await fetch(`http://127.0.0.1:${metrics.port}/metrics`)).text();
    for (const shard of shards)
      for (const figure of ['lag_bytes', 'lag_ms', 'compared_passes'])
        expect(valueOf(scraped, `redis_rollout_follow_${figure}`, { deployment: name, shard })).toBeGreaterThanOrEqual(
          0,
        );

    expect(await upgrade.tell('fallback', { by: 'ana', reason: 'a drill' })).toHaveProperty('done');
    await upgrade.until('it has ended', ({ result }) => result !== undefined, 300_000);
    const outcome = await upgrade.result();

    expect(outcome.statement).toContain(`back on ${from}: all ${2 * primaries} nodes`);
    expect(outcome.result).toBe('fell back');
    await expectWhole(cluster, { release: from, before, closed: true });
    await expectNoOthers(cluster);
    await dataset.expectSame(10_000);
    const report = await readReport(outcome);
    expect(report.probe?.ledger).toMatchObject({ lost: 0 });
    expect(report.probe?.series.reduce((sum, { failed }) => sum + failed, 0)).toBe(0);
    expect(report.cutovers?.map(({ shard }) => shard).sort()).toEqual(shards);
    expect(report.incidents).toMatchObject([{ by: 'ana', reason: 'a drill', from: to, to: from, class: 'lossless' }]);
    expect(report.verify.reduce((sum, { different }) => sum + different, 0)).toBe(0);
    expect(report.followers?.every(({ commands }) => commands > 0)).toBe(true);
    // Up to 6.2 a primary passes on in how long a key expires: a replica of it, as the standby was, has that later by its lag.
    const examples = report.followers?.flatMap(({ comparison }) => comparison?.examples ?? []);
    const late = atLeast(from, 7, 0) ? [] : examples?.filter(({ what }) => what.includes('expir'));
    expect(examples).toEqual(late);
    expect(report.followers?.map(({ comparison }) => comparison?.different)).toEqual(shards.map(() => 0));
  },
  1_800_000,
);

async function seen({ client, workflowId, runId }: Operation) {
  const [{ status }, description] = await Promise.all([
    new OperationReader(client, { workflowId, runId }).read(),
    client.getHandle(workflowId, runId).describe(),
  ]);
  return { status, description };
}

/** Of a gauge with these labels among others, in Prometheus' text. */
function valueOf(text: string, name: string, labels: Readonly<Record<string, string>>): number {
  const line = text
    .split('\n')
    .find(
      (it) => it.startsWith(`${name}{`) && Object.entries(labels).every(([key, its]) => it.includes(`${key}="${its}"`)),
    );
  return Number(line?.slice(line.lastIndexOf('}') + 1) ?? Number.NaN);
}

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { shardSummaries } from '../../../model/client-summary.js';
import { readBackLedger } from '../../../redis/probe/read-back.js';
import { Sandbox, until } from '../../../scripts/sandbox/cluster.js';
import { inputFor, operations, scratch, seriesOf, startProbe } from './probed-cluster.js';

test.each(['5.0.6', '8.0'])(
  'a handover on %s fails nothing, and its gap is named with shard and time',
  async (release) => {
    await using cluster = await Sandbox.cluster({ release });
    using place = scratch();
    const input = inputFor(cluster, place.folder);
    await using probe = await startProbe(input);
    await operations(probe, 300);
    await using replica = await cluster.connect(cluster.nodes[4]);
    const began = Date.now();
    expect(await replica.call('CLUSTER', 'FAILOVER')).toBe('OK');
    await until('the replica is primary', async () => String(await replica.call('ROLE')).startsWith('master'));
    const ended = Date.now() + 1000;
    await until('a second has passed since', () => Date.now() > ended);
    const report = await probe.stop();

    for (const shard of shardSummaries(report)) expect(shard).toMatchObject({ failed: 0 });
    for (const series of seriesOf(report.series, 'shard-2')) {
      // 5.0.6's floor is the 100 ms tick of its cluster cron; on 8.0 the gap may be as short as the schedule's period.
      const during = series.gaps.filter(({ at, ms }) => at + ms >= began && at <= ended);
      expect(during.length).toBeGreaterThan(0);
      if (release === '5.0.6' && series.operation === 'write') {
        expect(series.longestGap.at + series.longestGap.ms).toBeGreaterThanOrEqual(began);
        expect(series.longestGap.at).toBeLessThanOrEqual(ended);
        expect(series.longestGap.ms).toBeGreaterThan(40);
      }
    }
    expect(await readBackLedger(input)).toMatchObject({ lost: 0 });
  },
);

test('a primary that stands still for 700 ms can not hide it from either client', async () => {
  await using cluster = await Sandbox.cluster({ release: '8.0' });
  using place = scratch();
  await using probe = await startProbe(inputFor(cluster, place.folder));
  await operations(probe, 300);
  const home = cluster.nodes[0]?.home ?? '';
  const pid = Number(await readFile(join(home, 'redis.pid'), 'utf8'));
  const stoppedAt = Date.now();
  process.kill(pid, 'SIGSTOP');
  let seenWhileItLasted = 0;
  try {
    await until('700 ms have passed', () => Date.now() >= stoppedAt + 700);
    await until('the stall shows before it has ended', () => {
      seenWhileItLasted = probe.recent().find(({ shard }) => shard === 'shard-1')?.p99Ms ?? 0;
      return seenWhileItLasted > 100;
    });
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  const stood = Date.now() - stoppedAt;
  const after = Date.now() + 500;
  await until('the clients have caught up', () => Date.now() > after);
  const report = await probe.stop();

  const stalled = seriesOf(report.series, 'shard-1');
  expect(stalled).toHaveLength(4);
  for (const series of stalled) {
    expect(series.failures).toEqual({});
    expect(series.longestGap.ms).toBeGreaterThanOrEqual(690);
    expect(Math.abs(series.longestGap.at - stoppedAt)).toBeLessThan(200);
    // Open loop: every operation that was due in those 700 ms waited, 35 of them at 50 a second; the first the longest.
    expect(series.latency.max).toBeGreaterThan(650);
    const waited = series.seconds.reduce((sum, row) => sum + (row.max > 300 ? row.ok : 0), 0);
    expect(waited).toBeGreaterThanOrEqual(30);
  }
  expect(seenWhileItLasted).toBeLessThan(stood + 1000);
  for (const series of report.series.filter(({ shard }) => shard !== 'shard-1'))
    expect(series.longestGap.ms).toBeLessThan(690);
});

test('a killed primary: what failed and what was lost is told as it is', async () => {
  await using cluster = await Sandbox.cluster({ release: '8.0', configuration: ['cluster-node-timeout 1000'] });
  using place = scratch();
  const input = inputFor(cluster, place.folder);
  await using probe = await startProbe(input);
  await operations(probe, 300);
  const primary = cluster.nodes[2];
  if (primary === undefined) throw new Error('the sandbox has no third node');
  const killedAt = Date.now();
  await cluster.kill(primary);
  await using replica = await cluster.connect(cluster.nodes[5]);
  await until('the replica is primary', async () => String(await replica.call('ROLE')).startsWith('master'));
  await until('the shard is measured again', () => {
    const shard = probe.recent().find((each) => each.shard === 'shard-3');
    return shard !== undefined && Date.now() > killedAt + shard.longestWriteGapMs + 2000;
  });
  const report = await probe.stop();
  const hit = seriesOf(report.series, 'shard-3');
  for (const series of hit) {
    // Node timeout 1 s: no other node may have taken over before that.
    expect(series.longestGap.ms).toBeGreaterThan(900);
    expect(Math.abs(series.longestGap.at - killedAt)).toBeLessThan(300);
    const rows = series.seconds.reduce((sum, row) => sum + row.failed, 0);
    expect(rows).toBe(series.failed);
    expect(Object.values(series.failures).reduce((sum, count) => sum + count, 0)).toBe(series.failed);
  }
  // A client that waits and asks again fails nothing in an outage shorter than its deadline.
  for (const series of hit.filter(({ client }) => client === 'raw')) expect(series.failures).toEqual({});

  const ledger = await readBackLedger(input);
  const writes = report.series.filter(({ operation }) => operation === 'write');
  const acknowledged = writes.reduce((sum, series) => sum + series.operations - series.failed, 0);
  expect(ledger.acknowledged).toBeGreaterThanOrEqual(acknowledged);
  expect(ledger.found + ledger.lost).toBe(ledger.acknowledged);
  expect(ledger.examples.length > 0).toBe(ledger.lost > 0);
});

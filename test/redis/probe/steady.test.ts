import { expect, test } from 'vitest';
import { clientSummary } from '../../../model/client-summary.js';
import { readBackLedger, removeProbeKeys } from '../../../redis/probe/read-back.js';
import { entryTypes } from '../../../redis/probe/entry.js';
import { Sandbox } from '../../../scripts/sandbox/cluster.js';
import { inputFor, keys, operations, scratch, startProbe } from './probed-cluster.js';

test.each(['5.0.6', '8.0'])(
  'a healthy cluster of %s: nothing fails, nothing is lost, nothing is left',
  async (release) => {
    await using cluster = await Sandbox.cluster({ release });
    using place = scratch();
    const input = inputFor(cluster, place.folder);
    const primaries = cluster.nodes.slice(0, 3);
    const before = await keys(cluster, primaries);
    const probe = await startProbe(input);
    await operations(probe, 400);
    const report = await probe.stop();

    expect(report.series).toHaveLength(12);
    for (const series of report.series) {
      expect(series.failures).toEqual({});
      expect(series.operations).toBeGreaterThan(50);
      expect(series.latency.p50).toBeGreaterThan(0);
      expect(series.latency.max).toBeGreaterThanOrEqual(series.latency.p999 * 0.99);
      // A gap can't be shorter than the schedule's period.
      expect(series.longestGap.ms).toBeGreaterThanOrEqual(19);
      expect(series.seconds.reduce((sum, row) => sum + row.ok + row.failed, 0)).toBe(series.operations);
    }
    const summary = clientSummary(report);
    expect(summary.failed).toBe(0);

    const progress: number[] = [];
    const ledger = await readBackLedger({ ...input, onProgress: ({ done }) => progress.push(done) });
    const writes = report.series.filter(({ operation }) => operation === 'write');
    expect(ledger.acknowledged).toBe(writes.reduce((sum, series) => sum + series.operations, 0));
    expect(ledger).toMatchObject({ lost: 0, examples: [], found: ledger.acknowledged });
    expect(Object.keys(ledger.byType).sort()).toEqual([...entryTypes].sort());
    expect(progress).toEqual([1, 2, 3, 4, 5, 6]);

    expect((await removeProbeKeys(input)).removed).toBeGreaterThan(0);
    expect(await keys(cluster, primaries)).toBe(before);
    expect((await removeProbeKeys(input)).removed).toBe(0);
  },
);

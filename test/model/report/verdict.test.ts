import { describe, expect, it } from 'vitest';
import { reportVerdict } from '../../../model/report/report-verdict.js';
import type { ReportData } from '../../../model/report.js';
import { sampleReport } from './sample.js';

const completed = (): ReportData => sampleReport({ outcome: 'completed' });

function withProbe(data: ReportData): NonNullable<ReportData['probe']> {
  if (!data.probe) throw new Error('expected the sample to have been probed');
  return data.probe;
}

describe('the verdict', () => {
  it('says in one sentence that all went well', () => {
    const verdict = reportVerdict(completed());
    expect(verdict.sentence).toMatch(
      /^orders went from Redis 5\.0\.6 to 8\.0\.6 in 1 min 5\d s; [67]\d,\d{3} client operations, none failed; longest write gap \d+ ms; 3\d,\d{3} acknowledged writes, none lost\.$/,
    );
    expect(verdict).toMatchObject({ tone: 'good', label: 'Completed', findings: [], next: [] });
    expect(verdict.proof).toMatch(
      /^60,\d{3} keys compared between primaries and replicas, none different; 6 resyncs, all partial\.$/,
    );
  });

  it('claims nothing of clients when the probe was off', () => {
    const verdict = reportVerdict(sampleReport({ outcome: 'completed', probe: false }));
    expect(verdict.sentence).toMatch(/s\. The probe was off: nothing is known of clients\.$/);
    expect(verdict.sentence).not.toMatch(/failed|lost|gap/);
    expect(verdict).toMatchObject({ tone: 'caution', label: 'Completed, not everything was measured' });
  });

  it('claims nothing of lost writes when the ledger was not read back', () => {
    const data = completed();
    delete withProbe(data).ledger;
    const verdict = reportVerdict(data);
    expect(verdict.sentence).toContain('the ledger has not been read back, so nothing is known of lost writes');
    expect(verdict.tone).toBe('caution');
  });

  it('does not call an upgrade good that lost a write', () => {
    const data = completed();
    const { ledger } = withProbe(data);
    if (!ledger) throw new Error('expected a ledger');
    ledger.lost = 1;
    ledger.found -= 1;
    const verdict = reportVerdict(data);
    expect(verdict).toMatchObject({ tone: 'bad', label: 'Completed, but the data is not right' });
    expect(verdict.sentence).toMatch(/acknowledged writes, 1 lost\.$/);
    expect(verdict.findings[0]).toMatch(/^1 acknowledged write was lost/);
  });

  it('counts writes that were acknowledged and never read back', () => {
    const data = completed();
    const { ledger } = withProbe(data);
    if (!ledger) throw new Error('expected a ledger');
    ledger.found -= 12;
    expect(reportVerdict(data).findings).toContain('12 acknowledged writes were not read back.');
    expect(reportVerdict(data).tone).toBe('caution');
  });

  it('names failed operations, full resyncs, changed directives and overrides', () => {
    const data = completed();
    const [series] = withProbe(data).series;
    const [resync] = data.resyncs;
    if (!series || !resync) throw new Error('expected series and resyncs');
    Object.assign(series, { failed: 3, failures: { CLUSTERDOWN: 2, timeout: 1 } });
    resync.kind = 'full';
    data.configuration.push({ node: resync.node, kind: 'changed', directive: 'maxmemory', before: '1gb', after: '0' });
    data.status.gates.push({
      gate: 'memory',
      before: 'before shard-1',
      verdict: { state: 'fail', reason: '6 % free', clears: 'memory is freed' },
      since: data.status.startedAt,
      overriddenBy: { by: 'ana', reason: 'it is night', at: data.status.startedAt },
    });
    const verdict = reportVerdict(data);
    expect(verdict.label).toBe('Completed, with findings');
    expect(verdict.findings).toEqual([
      '3 client operations failed: 2 CLUSTERDOWN, 1 timeout.',
      `1 full resync, where a partial one was meant: ${resync.node}.`,
      'Configuration changed that no version explains: maxmemory.',
      'ana overrode gate memory (before shard-1): “it is night”',
    ]);
  });

  it('says of a stopped upgrade how far it came, where it stands and how to go on', () => {
    const verdict = reportVerdict(sampleReport({ outcome: 'stopped' }));
    expect(verdict.sentence).toMatch(
      /^The upgrade of orders from Redis 5\.0\.6 to 8\.0 stopped after 1 min \d+ s with 3 of 6 nodes upgraded; /,
    );
    expect(verdict).toMatchObject({ tone: 'bad', label: 'Stopped' });
    expect(verdict.statement).toContain('shard-2 was left as it was');
    expect(verdict.next).toEqual([
      {
        why: 'Starting the same upgrade again continues where it stood',
        command: 'rollout start orders --to 8.0',
      },
    ]);
  });

  it('gives the command that the report was told rather than one of its own', () => {
    const data = sampleReport({ outcome: 'stopped' });
    data.status.result = 'aborted';
    const verdict = reportVerdict({ ...data, next: 'rollout start deployments/orders.yaml --to 8.0' });
    expect(verdict.label).toBe('Aborted');
    expect(verdict.sentence).toContain('was aborted after');
    expect(verdict.next[0]?.command).toBe('rollout start deployments/orders.yaml --to 8.0');
  });

  it('says of a running upgrade what it is at', () => {
    const verdict = reportVerdict(sampleReport({ outcome: 'running' }));
    expect(verdict).toMatchObject({ tone: 'running', label: 'Running: rolling shards', next: [] });
    expect(verdict.sentence).toMatch(
      /^orders is on its way from Redis 5\.0\.6 to 8\.0: 3 of 6 nodes upgraded after .*; so far 4\d,\d{3} client operations, none failed/,
    );
    expect(verdict.statement).toContain('shard-2');
  });

  it('says of a waiting upgrade what it waits for, and the command that clears it', () => {
    const verdict = reportVerdict(sampleReport({ outcome: 'waiting' }));
    expect(verdict).toMatchObject({ tone: 'waiting', label: 'Waiting: approval handover:shard-2' });
    expect(verdict.next).toEqual([
      {
        why: '1 of operations or engineering must allow the handover of shard-2; clears when one more person approves',
        command: 'rollout approve orders --approval handover:shard-2 --as you@example.com',
      },
    ]);
  });

  it('does not trip over a source version that is no single release', () => {
    const data = completed();
    data.status.from = '5.0.6 and 6.0.16';
    expect(reportVerdict(data).sentence).toMatch(/^orders went from 5\.0\.6 and 6\.0\.16 to Redis 8\.0\.6/);
  });
});

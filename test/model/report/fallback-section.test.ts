import { describe, expect, it } from 'vitest';
import { fallbackSection } from '../../../model/report/fallback-section.js';
import { renderReport } from '../../../model/report/render-report.js';
import { reportVerdict } from '../../../model/report/report-verdict.js';
import type { ReportData } from '../../../model/report.js';
import { hostile } from './hostile.js';
import { sampleFallback } from './sample-fallback.js';
import { sampleReport } from './sample.js';

/** What a person reads of it: a space for each element's end, and no markup. */
const read = (data: ReportData): string =>
  fallbackSection(data)
    .text.replaceAll(/<[^>]+>/g, ' ')
    .replaceAll(/\s+/g, ' ');

describe('the fallback of a report', () => {
  it('says of an upgrade that was not taken back what it could have been taken back with', () => {
    const data = sampleReport({ outcome: 'completed' });
    data.status.fallback = {
      ...{ policy: 'backup', class: 'restore-only', since: '2026-11-12T09:14:05Z', standbys: [] },
      reason: 'policy.fallback is backup: whatever was written since the backup would be lost',
    };
    const text = read(data);
    expect(text).toContain(
      'restore-only since 09:14:05 : policy.fallback is backup: whatever was written since the backup would be lost.',
    );
    for (const empty of ['Nothing was taken back.', 'No standby took a shard over.', 'Nothing was followed.'])
      expect(text).toContain(empty);
    expect(text).not.toContain('restored');
  });

  it('claims nothing where the upgrade ended before that was decided', () => {
    const text = read(sampleReport({ outcome: 'stopped' }));
    expect(text).toContain('What it could be taken back with was not decided.');
    expect(text).not.toMatch(/lossless|restore-only/);
  });

  it('tells of an incident who asked, why, from where to where, and how long each shard took', () => {
    const text = read(sampleFallback());
    expect(text).toContain('09:20:00 took 42 s ana checkout is slower 8.0.6 → 5.0.6 lossless-except');
    expect(text).toContain('shard-1: 2 nodes in 12 s shard-2: 2 nodes in 15 s shard-3: 2 nodes in 15 s');
  });

  it('names the gate where the policy asked, and takes no end for granted that was not reached', () => {
    const data = sampleFallback();
    const [incident] = data.incidents ?? [];
    if (!incident) throw new Error('expected an incident');
    Object.assign(incident, { by: 'policy', gate: 'checkout-errors', shards: [] });
    delete incident.endedAt;
    const text = read(data);
    expect(text).toContain('09:20:00 policy gate checkout-errors');
    expect(text).not.toContain('took');
  });

  it('has each cutover with its gap, and no gap of one whose measure went with an earlier attempt', () => {
    const text = read(sampleFallback());
    expect(text).toContain('shard-1 10.20.100.11:6379 10.20.0.11:7379 42 ms 3.5 ms');
    expect(text).toContain('shard-3 10.20.100.13:6379 10.20.0.13:7379 an earlier attempt');
    // 0 ms would be the least of all where a table is ordered by it.
    const cells = fallbackSection(sampleFallback()).text.match(/data-head="Writes held"[^>]*>/g);
    expect(cells?.map((cell) => /data-sort="([^"]*)"/.exec(cell)?.[1])).toEqual(['42.3', '57.1', undefined]);
  });

  it('sums up each follower: what it applied, wrote otherwise, copied again, and how far it was behind', () => {
    const text = read(sampleFallback());
    expect(text).toContain('shard-1 10.20.0.11:7379 120,500 30,200 12 nothing, at its cutover 184 ms nothing');
    const data = sampleFallback();
    delete data.cutovers;
    expect(read(data)).toContain('shard-2 10.20.0.12:7379 98,000 25,000 0 1.2 kB 2.4 s');
  });

  it('doesn’t say of a follower whose standby has served that it is behind, or what comparing waits for', () => {
    const data = sampleFallback();
    for (const it of data.followers ?? [])
      it.comparison = {
        ...{ keys: 400, expectedKeys: 9000, passes: 2, different: 0, found: 0, repaired: 0 },
        ...{ examples: [], notCompared: [], waitsFor: 'MOVED 380 10.20.0.11:7379' },
      };
    expect(read(data)).not.toContain('1.2 kB');
    expect(read(data)).not.toContain('MOVED');
    delete data.cutovers;
    expect(read(data)).toContain('now: MOVED 380');
  });

  it('speaks of what going back would have lost as of something that is over', () => {
    const data = sampleFallback();
    expect(read(data)).toContain('lossless-except when it was taken back at 09:20:00 , and since 09:19:00 .');
    data.status.result = 'stopped';
    expect(read(data)).toContain('lossless-except since 09:19:00 : all but what 5.0.6 can’t hold');
  });

  it('has the lines of the timeline for what they are', () => {
    const data = sampleFallback();
    expect(renderReport(data).match(/handover, or a cutover to a standby/g)).toHaveLength(2);
    delete data.cutovers;
    expect(renderReport(data)).not.toContain('or a cutover to');
  });

  it('names what could not be held by kind, with no more than three keys each', () => {
    const text = read(sampleFallback());
    expect(text).toContain('field TTLs: 1,204 (cart:1, cart:2, cart:3)');
    expect(text).toContain('vector sets: 1 (embedding:7)');
    expect(text).not.toContain('cart:4');
  });

  it('marks a class by more than a colour: lossless as good, restore-only as bad', () => {
    const data = sampleFallback();
    for (const [its, kind] of [
      ['lossless', 'good'],
      ['lossless-except', 'caution'],
      ['restore-only', 'bad'],
    ] as const) {
      if (data.status.fallback) data.status.fallback.class = its;
      expect(fallbackSection(data).text).toContain(`<span class="sign ${kind}"><svg class="mark"`);
    }
  });

  it('lets no reason, key or gate reach the page as markup', () => {
    const data = sampleFallback();
    const [incident] = data.incidents ?? [];
    const [, follower] = data.followers ?? [];
    if (!incident || !follower || !data.status.fallback) throw new Error('expected a whole sample');
    Object.assign(incident, { reason: hostile, by: hostile, gate: hostile });
    follower.notRepresentable = [{ what: hostile, count: 1, examples: [hostile, '\u202e\u0000'] }];
    data.status.fallback.reason = hostile;
    data.status.result = 'stopped';
    const { text } = fallbackSection(data);
    expect(text).not.toContain('<img');
    expect(text.split('&lt;img')).toHaveLength(7);
    expect(text).toContain('\\u202e\\x00');
  });
});

describe('the verdict on what was taken back', () => {
  it('is that it fell back, from where to where and why, and that nothing was lost', () => {
    const verdict = reportVerdict(sampleFallback());
    expect(verdict).toMatchObject({ tone: 'caution', label: 'Fell back' });
    expect(verdict.sentence).toMatch(
      /^orders went from 8\.0\.6 back to 5\.0\.6 in 42 s, asked for by ana: checkout is slower; .*, none lost\.$/,
    );
  });

  it('has no finding of full resyncs to the older release, which are meant, and one of any other', () => {
    const data = sampleFallback();
    const found = (): string[] => reportVerdict(data).findings.filter((it) => it.includes('full resync'));
    expect(data.resyncs.filter(({ kind }) => kind === 'full')).toHaveLength(6);
    expect(found()).toEqual([]);
    expect(reportVerdict(data).proof).toContain('6 full, as an older release begins anew.');
    data.resyncs.push({ node: '10.20.0.11:6379', shard: 'shard-1', kind: 'full', ms: 900, release: '8.0.6' });
    expect(reportVerdict(data).proof).toContain('7 full.');
    expect(found()).toEqual(['1 full resync, where a partial one was meant: 10.20.0.11:6379.']);
  });

  it('is bad where a write was lost on the way', () => {
    const data = sampleFallback();
    if (!data.probe?.ledger) throw new Error('expected a ledger');
    data.probe.ledger.lost = 1;
    expect(reportVerdict(data)).toMatchObject({ tone: 'bad', label: 'Fell back, but the data is not right' });
  });
});

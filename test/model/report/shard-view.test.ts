// The lines of a shard's nodes in the timeline, where the role went to a standby and came back: who was primary when, and on what?
import { expect, it } from 'vitest';
import type { CutoverRecord, HandoverRecord } from '../../../model/evidence.js';
import { renderReport } from '../../../model/report/render-report.js';
import { shardViews, type Stretch } from '../../../model/report/shard-view.js';
import type { Span } from '../../../model/report/spans.js';
import { sampleFallback } from './sample-fallback.js';

const [OLD, NEW, STANDBY] = ['10.20.0.1:6379', '10.20.0.2:6379', '10.20.0.1:7379'];
const at = (second: number): string => new Date(second * 1000).toISOString();
const swap = (node: string, text: string, to: number): Span => ({
  ...{ from: (to - 1) * 1000, to: to * 1000, open: false },
  entry: { at: at(to - 1), kind: 'swap', text, shard: 'shard-1', node },
});
const handover = (from: string, to: string, second: number): HandoverRecord => ({
  ...{ shard: 'shard-1', from, to, mode: 'safe', ms: 20, at: at(second) },
});
const cutover: CutoverRecord = {
  ...{ shard: 'shard-1', from: NEW, to: STANDBY, at: at(50) },
  ...{ gapMs: 40, drainedMs: 3, offset: 1, already: false },
};
const told = (stretches: Stretch[] | undefined): string[] =>
  (stretches ?? []).map(
    ({ from, to, role, upgraded }) => `${from / 1000}-${to / 1000} ${role}${upgraded ? ', newer' : ''}`,
  );

it('whoever was cut over was primary until then, and runs the older release again once it is back', () => {
  const data = sampleFallback();
  data.status.shards = [
    {
      ...{ shard: 'shard-1', state: 'upgraded', phase: 'completed' },
      nodes: [
        { address: OLD, role: 'replica', release: '5.0.6', state: 'reverted' },
        { address: NEW, role: 'primary', release: '5.0.6', state: 'reverted' },
      ],
    },
  ];
  data.handovers = [handover(OLD, NEW, 20), handover(STANDBY, NEW, 80)];
  data.cutovers = [cutover];
  data.releases = [OLD, NEW].flatMap((node) => [
    { node, before: '5.0.6', after: '8.0.6' },
    { node, before: '8.0.6', after: '5.0.6' },
  ]);
  const spans = [
    ...[swap(NEW, 'start 8.0.6', 10), swap(OLD, 'start 8.0.6', 30)],
    ...[swap(NEW, 'back to 5.0.6', 60), swap(OLD, 'back to 5.0.6', 70)],
  ];
  const [view] = shardViews(data, spans, 0, 100_000);
  expect(view?.state).toBe('taken back');
  const [old, upgraded] = view?.nodes ?? [];
  expect(old).toMatchObject({ older: '5.0.6', newer: '8.0.6' });
  expect(told(old?.stretches)).toEqual(['0-20 primary', '20-30 replica', '30-70 replica, newer', '70-100 replica']);
  expect(told(upgraded?.stretches)).toEqual([
    ...['0-10 replica', '10-20 replica, newer', '20-50 primary, newer', '50-60 replica, newer'],
    ...['60-80 replica', '80-100 primary'],
  ]);
});

it('a fallback by itself begins on the newer release', () => {
  const data = sampleFallback();
  data.status.operation = 'fallback';
  data.status.shards = data.status.shards.slice(0, 1);
  const [node] = data.status.shards[0]?.nodes ?? [];
  if (!node) throw new Error('expected a node');
  data.handovers = [];
  data.cutovers = [];
  data.releases = [{ node: node.address, before: '8.0.6', after: '5.0.6' }];
  const [view] = shardViews(data, [{ ...swap(node.address, 'back to 5.0.6', 60) }], 0, 100_000);
  expect(view?.nodes[0]).toMatchObject({ older: '5.0.6', newer: '8.0.6' });
  expect(told(view?.nodes[0]?.stretches)).toEqual([`0-60 ${node.role}, newer`, `60-100 ${node.role}`]);
});

it('what a node came to is one line, with the release in between', () => {
  const data = sampleFallback();
  const node = data.status.shards[0]?.nodes[0]?.address ?? '';
  data.releases = [
    { node, before: '5.0.6', after: '8.0.6' },
    { node, before: '8.0.6', after: '5.0.6' },
  ];
  const versions = /id="versions"[^]*?<\/section>/.exec(renderReport(data))?.[0] ?? '';
  expect(versions.match(/<tr/g)).toHaveLength(2);
  expect(versions).toContain('by way of 8.0.6');
});

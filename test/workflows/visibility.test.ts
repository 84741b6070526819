// What a person would have seen otherwise: a page in the Temporal UI that says nothing, or a history that runs full.
import { defaultPayloadConverter, defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { searchAttributes } from '../../model/names.js';
import { wait } from '../../model/verdict.js';
import type { Operation } from '../../scripts/sandbox/operation.js';
import { FakeStage } from './stage/fake-stage.js';

let stage: FakeStage;
beforeAll(async () => {
  stage = await FakeStage.open();
});
afterAll(() => stage[Symbol.asyncDispose]());

const approvals = 'approvals: { handover: { roles: [engineering] } }';

async function attributes(workflowId: string): Promise<Record<string, unknown>> {
  const { typedSearchAttributes } = await stage.handle(workflowId).describe();
  return Object.fromEntries(
    Object.values(searchAttributes).map((name) => [
      name,
      typedSearchAttributes.get(defineSearchAttributeKey(name, SearchAttributeType.KEYWORD)),
    ]),
  );
}

async function details(workflowId: string): Promise<string> {
  const bytes = await stage.handle(workflowId).query<{ currentDetails?: string }>('__temporal_workflow_metadata');
  return bytes.currentDetails ?? '';
}

async function throughHandover(name: string): Promise<Operation> {
  const { operation } = await stage.run(name, { policy: approvals });
  await operation.waits('approval', 'handover');
  return operation;
}

test('a list of workflows can be searched by deployment, phase and what they wait for', async () => {
  const operation = await throughHandover('searched');
  expect(await attributes('redis/searched')).toEqual({
    RedisDeployment: 'searched',
    RedisOperation: 'upgrade',
    RedisPhase: 'rolling shards',
    RedisFromVersion: '5.0.6',
    RedisToVersion: '8.0.6',
    RedisBlockedOn: 'approval:handover',
  });
  expect(await attributes('redis/searched/shard-1')).toMatchObject({
    RedisOperation: 'upgradeShard',
    RedisPhase: 'awaiting approval',
    RedisBlockedOn: 'approval:handover',
  });
  await operation.tell('approve', { by: 'ana' });
  await operation.result();
  expect(await attributes('redis/searched')).toMatchObject({ RedisPhase: 'completed', RedisBlockedOn: undefined });
});

test('attributes are written when they change, and only then', async () => {
  const operation = await throughHandover('upserts');
  await operation.tell('approve', { by: 'ana' });
  await operation.result();
  for (const id of ['redis/upserts', 'redis/upserts/rolling', 'redis/upserts/shard-1']) {
    const { events } = await stage.handle(id).fetchHistory();
    const written = (events ?? []).flatMap(({ upsertWorkflowSearchAttributesEventAttributes: it }) =>
      it ? [JSON.stringify(it.searchAttributes?.indexedFields)] : [],
    );
    expect(written.length).toBeGreaterThan(1);
    expect(written.filter((it, i) => it === written[i - 1])).toEqual([]);
  }
});

test('where the attributes are not registered, none is written, and the upgrade runs all the same', async () => {
  const { operation } = await stage.run('unregistered', { searchable: false });
  await operation.result();
  const { events } = await stage.handle('redis/unregistered').fetchHistory();
  const written = (events ?? []).flatMap((event) =>
    Object.keys(event.upsertWorkflowSearchAttributesEventAttributes?.searchAttributes?.indexedFields ?? {}),
  );
  // Temporal's own, which every server knows: of what was changed in a workflow since it was begun.
  expect(written.filter((name) => name !== 'TemporalChangeVersion')).toEqual([]);
});

test('the page of the upgrade says what it waits for, since when, and how to go on: in the UI too', async () => {
  const operation = await throughHandover('described');
  const text = await details('redis/described');
  for (const part of [
    'described: 5.0.6 → 8.0.6',
    '1 of 2 nodes',
    'Hand the primaries of described over to 8.0.6?',
    'rollout approve described --approval handover',
    '"approval": "handover"',
    'redis/described',
  ])
    expect(text).toContain(part);
  await operation.tell('approve', { by: 'ana' });
  await operation.result();
  expect(await details('redis/described')).toContain('described runs 8.0.6');
});

test('a gate that blocks is on the page with its reason and what clears it', async () => {
  const { fake, operation } = await stage.run('gated');
  fake.verdicts.set('memory', wait('10.0.1.0:6379 has 2 % of its memory free', 'at least 10 % are free'));
  await operation.waits('gate', 'memory');
  const text = await details('redis/gated');
  for (const part of [
    'memory',
    '10.0.1.0:6379 has 2 %',
    'at least 10 % are free',
    'rollout override gated --gate memory',
  ])
    expect(text).toContain(part);
  await operation.tell('abort', { by: 'ana' });
  await operation.result();
});

test('every activity, timer and child has a line of its own', async () => {
  const { operation } = await stage.run('summaries', { policy: 'soak: 1s' });
  await operation.result();
  for (const id of ['redis/summaries', 'redis/summaries/rolling', 'redis/summaries/shard-1']) {
    const { events } = await stage.handle(id).fetchHistory();
    const started = (events ?? []).filter(
      (it) =>
        it.activityTaskScheduledEventAttributes ??
        it.timerStartedEventAttributes ??
        it.startChildWorkflowExecutionInitiatedEventAttributes,
    );
    expect(started.length).toBeGreaterThan(0);
    for (const { userMetadata, activityTaskScheduledEventAttributes: activity } of started) {
      const { summary } = userMetadata ?? {};
      const text = summary ? defaultPayloadConverter.fromPayload<string>(summary) : '';
      expect(text, activity?.activityType?.name ?? 'timer or child').toMatch(/\w/);
      expect(text.length).toBeLessThanOrEqual(200);
    }
  }
});

test('a shard takes fewer than 250 events, its root fewer than 60 for each, however often it asks and waits', async () => {
  const shards = 6;
  const { operation } = await stage.run('lengths', {
    shards,
    policy: `parallelShards: 3
approvals: { handover: { roles: [engineering], per: shard } }`,
  });
  for (let n = 1; n <= shards; n++) {
    await operation.waits('approval', `handover:shard-${n}`);
    await operation.tell('approve', { by: 'ana', approval: `handover:shard-${n}` });
  }
  await operation.result();
  const lengths = Object.fromEntries(
    await Promise.all(
      ['', '/rolling', ...Array.from({ length: shards }, (_, i) => `/shard-${i + 1}`)].map(
        async (id): Promise<[string, number]> => [id, (await stage.events(`redis/lengths${id}`)).length],
      ),
    ),
  );
  console.log('events by workflow:', JSON.stringify(lengths));
  for (let n = 1; n <= shards; n++) expect(lengths[`/shard-${n}`]).toBeLessThan(250);
  expect(lengths['']).toBeLessThan(100 + 60 * shards);
  expect(lengths['/rolling']).toBeLessThan(50 + 30 * shards);
});

import type { WorkflowClient } from '@temporalio/client';
import { defaultDataConverter, defaultPayloadConverter } from '@temporalio/common';
import { expect, test } from 'vitest';
import { readRetried } from '../../workers/read-retried.js';

// As many retries as a network that is down for hours makes; those of a real server are in test/workflows/retries-shown.

interface Tried {
  activity: string;
  attempt: number;
  failure?: string;
  end?: 'Completed' | 'Failed' | 'TimedOut' | 'Canceled';
}

const second = (seconds: number) => ({ seconds, nanos: 0 });

function clientOf(histories: Record<string, Tried[]>): WorkflowClient {
  const eventsOf = ({ activity, attempt, failure, end = 'Completed' }: Tried, i: number): object[] => [
    {
      ...{ eventId: 3 * i + 1, eventTime: second(100 * i) },
      userMetadata: { summary: defaultPayloadConverter.toPayload(`${activity} ${i}`) },
      activityTaskScheduledEventAttributes: { activityId: `${i}`, activityType: { name: activity } },
    },
    {
      ...{ eventId: 3 * i + 2, eventTime: second(100 * i + 49) },
      activityTaskStartedEventAttributes: {
        ...{ scheduledEventId: 3 * i + 1, attempt },
        ...(failure === undefined
          ? {}
          : { lastFailure: { message: failure, applicationFailureInfo: { type: 'NodeHung' } } }),
      },
    },
    {
      ...{ eventId: 3 * i + 3, eventTime: second(100 * i + 50) },
      [`activityTask${end}EventAttributes`]: { scheduledEventId: 3 * i + 1, startedEventId: 3 * i + 2 },
    },
  ];
  return {
    options: { loadedDataConverter: defaultDataConverter },
    getHandle: (workflowId: string) => ({
      fetchHistory: () => Promise.resolve({ events: (histories[workflowId] ?? []).flatMap(eventsOf) }),
    }),
  } as unknown as WorkflowClient;
}

test('only what needed more than one attempt, however it ended, with the first line of why', async () => {
  const failure = 'it did not answer\nat connect (net.js:1)';
  const client = clientOf({
    'redis/orders': [
      { activity: 'assess', attempt: 1 },
      { activity: 'backUpShard', attempt: 2, failure },
    ],
    'redis/orders/shard-1': [
      { activity: 'assess', attempt: 1 },
      { activity: 'readShard', attempt: 1 },
      { activity: 'isolate', attempt: 10, failure, end: 'Failed' },
      { activity: 'rejoin', attempt: 3, failure, end: 'TimedOut' },
      { activity: 'checkGates', attempt: 4, failure, end: 'Canceled' },
    ],
  });
  const family = [{ workflowId: 'redis/orders' }, { workflowId: 'redis/orders/shard-1' }];
  const { activities, more } = await readRetried(client, family);
  expect(more).toBe(0);
  expect(activities.map(({ what, attempts }) => [what, attempts])).toEqual([
    ['backUpShard 1', 2],
    ['isolate 2', 10],
    ['rejoin 3', 3],
    ['checkGates 4', 4],
  ]);
  expect(activities[0]).toEqual({
    ...{ workflowId: 'redis/orders', activity: 'backUpShard', what: 'backUpShard 1', attempts: 2 },
    ...{ since: '1970-01-01T00:01:40.000Z', until: '1970-01-01T00:02:30.000Z' },
    failure: { type: 'NodeHung', message: 'it did not answer' },
  });
});

test('of thousands those with the most attempts, and how many there were beside them', async () => {
  const shards = Array.from({ length: 50 }, (_, n) => `redis/orders/shard-${n + 1}`);
  const client = clientOf(
    Object.fromEntries(
      shards.map((workflowId, n) => [
        workflowId,
        Array.from({ length: 60 }, (_, i) => ({
          ...{ activity: 'readShard', attempt: i < 2 ? 10 : 2 + (n % 3), failure: 'x'.repeat(5000) },
        })),
      ]),
    ),
  );
  const { activities, more } = await readRetried(
    client,
    shards.map((workflowId) => ({ workflowId })),
  );
  expect(activities.map(({ attempts }) => attempts)).toEqual(Array.from({ length: 100 }, () => 10));
  expect(more).toBe(50 * 60 - 100);
  expect(Math.max(...activities.map(({ failure }) => failure.message.length))).toBe(300);
});

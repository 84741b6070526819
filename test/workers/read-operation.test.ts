import type { WorkflowClient } from '@temporalio/client';
import { expect, test } from 'vitest';
import type { OperationStatus, TimelineEntry } from '../../model/operation.js';
import { OperationReader } from '../../workers/read-operation.js';

// The order of events between a history and three queries can't be brought about with a real server; what the reader
// makes of real ones is tried in test/scripts/rollout.

interface State {
  children: string[];
  timeline: string[];
  started: string[];
}

const at = '2026-11-21T10:00:00.000Z';

/** Answers as Temporal would, from a state that changes after each root query or history read. */
function clientOf(operations: Record<string, State>, afterFirst: { history?: () => void; root?: () => void }) {
  const once = (key: 'history' | 'root'): void => {
    const act = afterFirst[key];
    afterFirst[key] = undefined as never;
    act?.();
  };
  return {
    getHandle: (workflowId: string) => ({
      query: async (name: string) => {
        await alone(workflowId);
        const { children, timeline } = operations[workflowId] ?? { children: [], timeline: [] };
        const status = { workflowId, operation: 'upgrade', startedAt: at, children: [...children] };
        const rest = { waiting: [], shards: [], approvals: [], gates: [], progress: { upgraded: 0, nodes: 0 } };
        const entries = timeline.map((text): TimelineEntry => ({ at, kind: 'step', text }));
        if (workflowId === 'redis/orders' && name === 'timeline') once('root');
        return name === 'status' ? ({ ...status, ...rest } as unknown as OperationStatus) : entries;
      },
      fetchHistory: () => {
        const started = [...(operations[workflowId]?.started ?? [])];
        if (workflowId === 'redis/orders') once('history');
        return Promise.resolve({
          events: started.map((id) => ({
            childWorkflowExecutionStartedEventAttributes: { workflowExecution: { workflowId: id } },
          })),
        });
      },
    }),
  } as unknown as WorkflowClient;
}

const asked = new Set<string>();
/** Of two questions at once a run that has just ended may answer one alone. */
async function alone(workflowId: string): Promise<void> {
  expect(asked, 'asked at once').not.toContain(workflowId);
  asked.add(workflowId);
  await Promise.resolve();
  asked.delete(workflowId);
}

test.each(['history', 'root'] as const)(
  'a child that begins while the first look is at the %s is followed to its end',
  async (moment) => {
    const operations: Record<string, State> = { 'redis/orders': { children: [], timeline: ['root'], started: [] } };
    const begin = (): void => {
      operations['redis/orders'] = {
        children: ['redis/orders/rolling'],
        timeline: ['root'],
        started: ['redis/orders/rolling'],
      };
      operations['redis/orders/rolling'] = { children: ['redis/orders/shard-1'], timeline: [], started: [] };
      operations['redis/orders/shard-1'] = { children: [], timeline: ['isolate'], started: [] };
    };
    const reader = new OperationReader(clientOf(operations, { [moment]: begin }), { workflowId: 'redis/orders' });
    await reader.read();
    await reader.read();
    operations['redis/orders/shard-1'] = { children: [], timeline: ['isolate', 'handover'], started: [] };
    const { timeline } = await reader.read();
    expect(timeline.map(({ text }) => text)).toContain('handover');
  },
);

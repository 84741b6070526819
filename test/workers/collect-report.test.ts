import type { WorkflowClient } from '@temporalio/client';
import { expect, test } from 'vitest';
import { sha256 } from '../../integrations/audit-trail.js';
import { eventsOf } from '../../model/audit/events.js';
import type { ApprovalAnswer } from '../../model/operation.js';
import { collectRoot } from '../../workers/collect-report.js';

const answer: ApprovalAnswer = {
  ...{ by: 'ana', role: 'operations', decision: 'approve', comment: 'go' },
  at: '2026-12-01T09:00:02.000Z',
};

/** An operation whose question is answered, and that ends, once so many queries were answered. */
function clientOf(answeredAfter: number, endedAfter: number): WorkflowClient {
  let [queries, underWay] = [0, 0];
  const ask = (name: string): unknown => {
    const [isAnswered, isEnded] = [queries >= answeredAfter, queries >= endedAfter];
    queries++;
    const approvals = [{ approval: 'start', question: 'Begin?', answers: isAnswered ? [answer] : [] }];
    const end = isEnded ? { endedAt: '2026-12-01T09:00:03.000Z', result: 'completed' } : {};
    if (name === 'status')
      return { deployment: 'orders', startedAt: '2026-12-01T09:00:00.000Z', startedBy: 'olu', approvals, ...end };
    if (name === 'record') return { backups: [] };
    if (name === 'plan') return null;
    return [
      { at: '2026-12-01T09:00:01.000Z', kind: 'step', text: 'save' },
      ...(isAnswered
        ? [{ at: answer.at, kind: 'approval', by: 'ana', text: 'start approved by ana (1 of 1): go' }]
        : []),
    ];
  };
  return {
    getHandle: () => ({
      query: async (name: string) => {
        // Of two questions at once a run that has just ended may answer one alone.
        expect(++underWay, 'asked at once').toBe(1);
        await Promise.resolve();
        underWay--;
        return ask(name);
      },
    }),
  } as unknown as WorkflowClient;
}

// What is on the audit trail once is never written again.
test.each([0, 1, 2, 3, 4])(
  'answered between two queries (after %i): an approval is on record with its answer, or not yet',
  async (answeredAfter) => {
    const events = eventsOf(await collectRoot(clientOf(answeredAfter, 9), 'redis/orders', 'run'), 'run', sha256);
    const approvals = events.filter(({ kind }) => kind === 'approval');
    expect(approvals).toHaveLength(answeredAfter === 0 ? 1 : 0);
    for (const { evidence } of approvals)
      expect(evidence).toMatchObject({ answer: { role: 'operations', comment: 'go' } });
  },
);

test.each([0, 1, 2, 3])(
  'it ends between two queries (after %i): neither its end nor a step that goes on is there',
  async (endedAfter) => {
    const events = eventsOf(await collectRoot(clientOf(9, endedAfter), 'redis/orders', 'run'), 'run', sha256);
    expect(events.map(({ kind }) => kind)).toEqual(['begun']);
  },
);

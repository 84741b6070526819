import { expect, test } from 'vitest';
import { failureKind, OpenLoop } from '../../../redis/probe/open-loop.js';
import { ConnectionLost } from '../../../redis/probe/raw-connection.js';
import type { ProbeClient } from '../../../redis/probe/raw-client.js';
import type { Reply } from '../../../redis/probe/resp.js';
import { joinSeries, Series } from '../../../redis/probe/series.js';

const START = 1_700_000_000_000;

/** A client that answers when it is told to: what a real one can't be made to do at a chosen instant. */
function loop(limits: { deadlineMs: number; inFlight: number }) {
  let clock = START;
  const answers: ((reply: Reply) => void)[] = [];
  const late: Reply[] = [];
  const client: ProbeClient = {
    send: () => new Promise((resolve) => answers.push(resolve)),
    close: () => undefined,
  };
  const series = new Series({ shard: 'shard-1', operation: 'write', client: 'ioredis' }, START);
  const open = new OpenLoop(
    series,
    client,
    () => ({ words: ['PING'], slot: 0, answered: (reply) => (late.push(reply), undefined) }),
    { ...limits, periodMs: 10, firstAt: START, now: () => clock },
  );
  return { open, series, answers, late, at: (ms: number) => (clock = START + ms) };
}

test('when the probe itself is late, everything that was due is sent, with the time that it was due at', async () => {
  const { open, series, answers, at } = loop({ deadlineMs: 1000, inFlight: 100 });
  open.sendDue(at(95));
  expect(answers).toHaveLength(10);
  for (const answer of answers) answer('PONG');
  await Promise.resolve();
  expect(joinSeries([series.save(at(95))])).toMatchObject({ operations: 10, failed: 0, latency: { max: 95 } });
});

test('at the bound operations fail as overload, and are not left out', () => {
  const { open, series, answers, at } = loop({ deadlineMs: 1000, inFlight: 3 });
  open.sendDue(at(99));
  expect(answers).toHaveLength(3);
  expect(series.save(at(99))).toMatchObject({ operations: 7, failed: 7, failures: { overload: 7 } });
});

test('an answer after the deadline is a failure, and still told to the ledger', async () => {
  const { open, series, answers, late, at } = loop({ deadlineMs: 1000, inFlight: 100 });
  open.sendDue(at(0));
  open.expire(at(999));
  expect(open.open).toBe(1);
  open.expire(at(1000));
  expect(open.open).toBe(0);
  answers[0]?.('OK');
  await Promise.resolve();
  expect(late).toEqual(['OK']);
  expect(series.save(at(1500))).toMatchObject({ operations: 1, failed: 1, failures: { timeout: 1 } });
});

test.each([
  [new Error('READONLY You can’t write against a read only replica.'), 'READONLY'],
  [new Error('NOPERM this user has no permissions'), 'NOPERM'],
  [new Error('ERR unknown command'), 'ERR'],
  [new Error('Too many Cluster redirections. Last error: Error: Connection is closed.'), 'redirections'],
  [new Error('Connection is closed.'), 'connection'],
  [new ConnectionLost('127.0.0.1:1: ECONNREFUSED'), 'connection'],
])('%s is counted as a kind of its own', (error, kind) => expect(failureKind(error)).toBe(kind));

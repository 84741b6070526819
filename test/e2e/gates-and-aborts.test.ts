import { afterAll, beforeAll, expect, test } from 'vitest';
import { Sandbox } from '../../scripts/sandbox/cluster.js';
import { Dataset } from './stage/dataset.js';
import { expectNothingLost, readReport } from './stage/evidence.js';
import { expectWhole, readNodes, type NodeState } from './stage/nodes.js';
import { Stage } from '../../scripts/sandbox/stage.js';

// A gate that nobody can clear, a pause, an abort in the worst moment: no node is left isolated or down.
let stage: Stage;
let cluster: Sandbox;
let before: NodeState[];
let dataset: Dataset;

beforeAll(async () => {
  stage = await Stage.open();
  cluster = await Sandbox.cluster({ release: '7.0', primaries: 1 });
  dataset = await Dataset.write(cluster, 400);
  before = await readNodes(cluster);
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
  await cluster.stop();
});

test('gates that block say why, since when and what clears them, and are overridden on record', async () => {
  await stage.deploy('orders', cluster, {
    policy: {
      canarySoak: '0s',
      gates: {
        maxLatency: '0.001ms',
        prometheus: { url: 'http://127.0.0.1:1', queries: [{ name: 'checkout-works', query: 'up', above: 0 }] },
      },
    },
  });
  const operation = await stage.start('orders', '8.0');
  await operation.waits('gate', 'checkout-works');
  const { status } = await operation.until('the probe has measured', ({ waiting }) =>
    waiting.some(({ name, reason }) => name === 'latency' && reason.includes('percentile')),
  );
  const blocking = Object.fromEntries(status.waiting.map((it) => [it.name, it]));
  expect(blocking).toMatchObject({
    latency: {
      kind: 'gate',
      reason: expect.stringMatching(/before anything is touched: .*99th percentile .* ms/) as string,
      since: expect.stringMatching(/^\d{4}-.*Z$/) as string,
      clears: expect.stringContaining('policy.gates.maxLatency') as string,
      command: 'rollout override orders --gate latency --reason "…"',
    },
    'checkout-works': {
      reason: expect.stringContaining('127.0.0.1:1') as string,
      clears: expect.stringContaining('Prometheus answers') as string,
    },
  });

  expect(await operation.tell('override', { by: 'ana', gate: 'memory', reason: 'why not' })).toEqual({
    refused: expect.stringContaining("memory doesn't block") as string,
  });
  expect(await operation.tell('override', { by: 'ana', gate: 'latency', reason: '' })).toEqual({
    refused: expect.stringContaining('reason') as string,
  });
  await overrideBoth('anything is touched');

  await pauseAndResume();
  await overrideBoth('shard-1 replica');
  await operation.until('the gates before the handover block', ({ waiting }) =>
    ['latency', 'checkout-works'].every((gate) =>
      waiting.some((it) => it.name === gate && it.reason.includes('before the handover')),
    ),
  );
  expect(await operation.tell('abort', { by: 'ana', reason: 'enough for today' })).toMatchObject({
    done: expect.stringContaining('aborted by ana') as string,
  });
  const outcome = await operation.result();

  expect(outcome.result).toBe('aborted');
  expect(outcome.statement).toContain('enough for today');
  expect(outcome.statement).toContain('1 of 2 nodes run 8.0.6');
  const overridden = (await readReport(outcome)).status.gates.filter((it) => it.overriddenBy);
  expect(overridden.map(({ gate, overriddenBy }) => [gate, overriddenBy?.by, overriddenBy?.reason]).sort()).toEqual([
    ['checkout-works', 'ana', 'the monitoring is down, I look myself'],
    ['checkout-works', 'ana', 'the monitoring is down, I look myself'],
    ['latency', 'ana', 'a threshold that nobody can meet'],
    ['latency', 'ana', 'a threshold that nobody can meet'],
  ]);
  await expectNothingLost(operation);
  await expectWhole(cluster, { release: ['7.0.15', '8.0.6'], before });

  async function overrideBoth(place: string): Promise<void> {
    for (const [gate, reason] of [
      ['latency', 'a threshold that nobody can meet'],
      ['checkout-works', 'the monitoring is down, I look myself'],
    ] as const) {
      await operation.until(`${gate} blocks before ${place}`, ({ waiting }) =>
        waiting.some((it) => it.name === gate && it.reason.includes(`before ${place}`)),
      );
      expect(await operation.tell('override', { by: 'ana', gate, reason })).toEqual({
        done: `${gate} overridden by ana, on record`,
      });
    }
  }

  async function pauseAndResume(): Promise<void> {
    await operation.until('the gates before the replica block', ({ waiting }) =>
      waiting.some((it) => it.reason.includes('before shard-1 replica')),
    );
    expect(await operation.tell('pause', { by: 'ben', reason: 'lunch' })).toMatchObject({
      done: expect.stringContaining('paused by ben') as string,
    });
    expect(await operation.tell('pause', { by: 'ana' })).toMatchObject({
      refused: expect.stringContaining('paused already, by ben') as string,
    });
    const { status: paused } = await operation.waits('pause', 'pause');
    expect(paused.waiting.find((it) => it.kind === 'pause')).toMatchObject({
      reason: 'paused by ben: lunch',
      command: 'rollout resume orders',
    });
    expect(await operation.tell('resume', { by: 'ben' })).toEqual({ done: 'resumed by ben' });
    expect(await operation.tell('resume', { by: 'ben' })).toEqual({ refused: 'it is not paused' });
  }
}, 600_000);

test('an abort in the middle of a handover: the old primary comes back first', async () => {
  await stage.deploy('orders', cluster);
  const operation = await stage.start('orders', '8.0');
  await operation.until('the handover has begun', (_, timeline) =>
    timeline.some(({ text }) => text.startsWith('hand over to ')),
  );
  expect(await operation.tell('abort', { by: 'ana', reason: 'cold feet' })).toMatchObject({
    done: expect.stringContaining('as soon as the node in hand is back') as string,
  });
  const outcome = await operation.result();
  expect(outcome.result).toBe('aborted');
  expect(outcome.statement).toContain('2 of 2 nodes run 8.0.6');
  await expectNothingLost(operation);
  await expectWhole(cluster, { release: '8.0.6', before });
  await dataset.expectSame(10_000);
}, 600_000);

import { afterAll, beforeAll, expect, test } from 'vitest';
import { Sandbox } from '../../scripts/sandbox/cluster.js';
import { Dataset } from './stage/dataset.js';
import { expectCompleted, expectNothingLost } from './stage/evidence.js';
import { inPlaceOfServer } from './stage/in-place-of-server.js';
import { expectWhole, readNodes, type NodeState } from './stage/nodes.js';
import { Stage } from '../../scripts/sandbox/stage.js';

// The new binary lacks a library, or dies as soon as it has work: the replica is back on its old version by itself.
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

test.each([
  {
    what: 'ends at once',
    lines: () => ['echo "error while loading shared libraries: libssl.so.4" >&2', 'exit 1'],
    says: /libssl\.so\.4/,
  },
  {
    what: 'dies as soon as it has rejoined',
    lines: (server: string) => [
      'began=$(wc -l < redis.log)',
      'dies() {',
      '  for i in $(seq 500); do',
      '    sleep 0.02',
      '    tail -n +$began redis.log | grep -q "accepted a Partial Resynchronization" && kill -9 $$ && return',
      '  done',
      '}',
      'dies &',
      `exec "${server}" "$@"`,
    ],
    // Whether it is still alive at the first look is chance.
    says: /ended(?: as soon as it was started| after it had started)?[.;] the end of its log/i,
  },
])(
  'a server that $what',
  async ({ what, lines, says }) => {
    const program = await inPlaceOfServer(stage, `redis-server-that-${what.replaceAll(' ', '-')}`, lines);
    await stage.deploy('orders', cluster, {
      platform: { kind: 'process', servers: { '8.0.6': program } },
      // The probe keeps the comparison busy for longer than the server lives.
      policy: { canarySoak: '60s' },
    });

    const operation = await stage.start('orders', '8.0');
    const { type, message } = await operation.failure();

    expect(type).toBe('StartFailed');
    expect(message).toMatch(says);
    expect(message).toMatch(/failed on the new version and is back on 7\.0\.15/);
    expect(message).toContain('0 of 2 nodes run 8.0.6');
    const { status } = await operation.read();
    expect(status.result).toBe('stopped');
    const reverted = status.shards.flatMap((shard) => shard.nodes).filter((node) => node.state === 'reverted');
    expect(reverted.map((node) => node.release)).toEqual(['7.0.15']);
    await expectNothingLost(operation);
    await expectWhole(cluster, { release: '7.0.15', before });
    expect((await readNodes(cluster)).map(({ role }) => role)).toEqual(before.map(({ role }) => role));
    await dataset.expectSame(10_000);
  },
  600_000,
);

test('with a server that works, the next start completes', async () => {
  await stage.deploy('orders', cluster);
  const outcome = await (await stage.start('orders', '8.0')).result();
  expectCompleted(outcome);
  await expectWhole(cluster, { release: '8.0.6', before });
  await dataset.expectSame(10_000);
}, 600_000);

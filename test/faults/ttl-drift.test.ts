import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Sandbox } from '../../scripts/sandbox/cluster.js';
import { Stage } from '../../scripts/sandbox/stage.js';
import { expectCompleted, expectNothingLost, readReport, reportIn } from '../e2e/stage/evidence.js';
import { inPlaceOfServer } from '../e2e/stage/in-place-of-server.js';
import { expectWhole, readNodes } from '../e2e/stage/nodes.js';

// Up to 6.x a replica that was away for d seconds gives each key written meanwhile d seconds more to live, for ever.
const AWAY_S = 3;
const TOLERANCE_MS = 1000;
const LIFE_MS = 600_000;

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open();
});
afterAll(() => stage[Symbol.asyncDispose]());

/** A server that takes some seconds to come up. */
const slowServer = (release: string): Promise<string> =>
  inPlaceOfServer(stage, `slow-${release}`, (server) => [`sleep ${AWAY_S}`, `exec "${server}" "$@"`], release);

/** Writes keys that expire, one after the other, and notes between which two moments each was written. */
class Sessions implements AsyncDisposable {
  readonly written = new Map<string, [from: number, to: number]>();
  readonly #client: Cluster;
  #going = true;
  readonly #ended: Promise<void>;

  constructor(cluster: Sandbox) {
    this.#client = new Cluster(cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port })));
    this.#ended = this.#write();
  }

  async #write(): Promise<void> {
    while (this.#going) {
      const key = `session:${this.written.size}`;
      const from = Date.now();
      await this.#client.set(key, 'token', 'PX', LIFE_MS);
      this.written.set(key, [from, Date.now()]);
      await sleep(20);
    }
  }

  async end(): Promise<void> {
    this.#going = false;
    await this.#ended.finally(() => this.#client.disconnect());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.end();
  }
}

/** How far each node's expiries are from what the client asked for, at most, ms. */
async function furthest(cluster: Sandbox, { written }: Sessions): Promise<number[]> {
  return Promise.all(
    cluster.nodes.map(async (node) => {
      await using connection = await cluster.connect(node, { timeoutMs: 20_000 });
      const keys = [...written.keys()];
      const [, ...replies] = await connection.pipeline([
        ['READONLY'],
        ...keys.map((key) => ['PEXPIRETIME', key] as const),
      ]);
      return Math.max(
        ...keys.map((key, i) => {
          const [from, to] = written.get(key) ?? [0, 0];
          const at = Number(replies[i]) - LIFE_MS;
          return at > to ? at - to : Math.max(0, from - at);
        }),
      );
    }),
  );
}

test.each([
  { from: '5.0.6', to: '8.0.6' },
  { from: '6.2', to: '8.2.3' },
])(
  '$from → $to, each node away for seconds: what drifted is set right',
  async ({ from, to }) => {
    await using cluster = await Sandbox.cluster({ release: from, primaries: 1 });
    const before = await readNodes(cluster);
    const name = `repair-${to}`.replaceAll('.', '-');
    await stage.deploy(name, cluster, {
      platform: { kind: 'process', servers: { [to]: await slowServer(to) } },
      policy: { ttlTolerance: `${TOLERANCE_MS}ms` },
    });

    await using sessions = new Sessions(cluster);
    const outcome = await (await stage.start(name, to)).result();
    await sessions.end();

    expectCompleted(outcome);
    await expectWhole(cluster, { release: to, before });
    const { verify, timeline } = await readReport(outcome);
    const [first] = verify;
    expect(first?.ttlDriftMs).toBeGreaterThan(TOLERANCE_MS);
    expect(first?.repaired).toBeGreaterThan(0);
    expect(timeline.map(({ text }) => text)).toContainEqual(expect.stringMatching(/^expiry of \d+ keys set right/));
    expect(sessions.written.size).toBeGreaterThan(0);
    expect((await furthest(cluster, sessions)).filter((ms) => ms > TOLERANCE_MS)).toEqual([]);
  },
  480_000,
);

test('without repair the node goes back to its old release, and the reason names the keys', async () => {
  await using cluster = await Sandbox.cluster({ release: '5.0.6', primaries: 1 });
  const before = await readNodes(cluster);
  await stage.deploy('no-repair', cluster, {
    platform: { kind: 'process', servers: { '8.0.6': await slowServer('8.0.6') } },
    policy: { ttlTolerance: `${TOLERANCE_MS}ms`, ttlRepair: false },
  });

  await using sessions = new Sessions(cluster);
  const operation = await stage.start('no-repair', '8.0');
  const { type, message } = await operation.failure();
  await sessions.end();

  expect(type).toBe('Different');
  expect(message).toMatch(/session:\d+ \(expir/);
  expect(message).toContain('0 of 2 nodes run 8.0.6.');
  await expectNothingLost(operation);
  await expectWhole(cluster, { release: '5.0.6', before });
  const { status } = await reportIn((await operation.read()).status.artefacts);
  expect(status.shards.flatMap(({ nodes }) => nodes).map(({ state }) => state)).toContain('reverted');
}, 480_000);

import { readFile, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect, type Endpoint } from '../../redis/connection.js';
import { parseInfo } from '../../redis/info.js';
import { Sandbox, until, type SandboxNode } from '../../scripts/sandbox/cluster.js';
import { BEHIND, behindProxy } from '../../scripts/sandbox/link.js';
import { readNodes, type NodeState } from '../../scripts/sandbox/node-states.js';
import type { Operation } from '../../scripts/sandbox/operation.js';
import { Stage } from '../../scripts/sandbox/stage.js';
import { Toxiproxy } from '../../scripts/sandbox/toxiproxy.js';
import { inPlaceOfServer } from '../e2e/stage/in-place-of-server.js';
import { Dataset } from '../e2e/stage/dataset.js';
import { expectNothingLost, reportIn } from '../e2e/stage/evidence.js';
import { expectWhole } from '../e2e/stage/nodes.js';

// The link by which an upgraded replica comes back: too slow for what is written, cut off by its primary again and again,
// or away for longer than the backlog holds. One cluster, one upgrade after the other; the last one completes.
const KB_PER_SECOND = 40;
const WRITTEN_AT_ONCE = 64;

const policy = { backlog: { grow: false } } as const;

let stage: Stage;
let toxiproxy: Toxiproxy;
let cluster: Sandbox;
let primary: SandboxNode;
let replica: SandboxNode;
let before: NodeState[];
let dataset: Dataset;

beforeAll(async () => {
  stage = await Stage.open({ quickRetries: true });
  toxiproxy = await Toxiproxy.start();
  // The least that a backlog can be, and snapshots as large as what is in them.
  cluster = await Sandbox.cluster({
    release: '7.0',
    primaries: 1,
    configuration: ['repl-backlog-size 16kb', 'rdbcompression no'],
  });
  [primary, replica] = cluster.nodes as [SandboxNode, SandboxNode];
  dataset = await Dataset.write(cluster, 100);
  before = await readNodes(cluster);
  await stage.deploy('orders', cluster, { policy });
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
  await cluster.stop();
  await toxiproxy.stop();
});

const start = (): Promise<Operation> => stage.startShard('orders', '8.0', 'shard-1');

/** Past the proxy, at the address that it leads to. */
const behind = (): Endpoint => ({ ...cluster.endpoint(primary), host: BEHIND });

/** Writes more than the link brings, over and over. */
class Writer implements AsyncDisposable {
  #going = true;
  readonly #ended: Promise<void>;

  constructor() {
    this.#ended = this.#write();
  }

  async #write(): Promise<void> {
    await using connection = await connect(behind());
    while (this.#going) {
      await write(connection);
      await sleep(200);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#going = false;
    await this.#ended;
  }
}

const write = (connection: Awaited<ReturnType<typeof connect>>): Promise<unknown> =>
  connection.pipeline(
    Array.from({ length: WRITTEN_AT_ONCE }, (_, i) => ['SET', `{filler}:${i}`, Buffer.alloc(1024, 'x')] as const),
  );

const outputBuffer = (bytes: string): Promise<unknown> =>
  cluster.ask(primary.address, 'CONFIG', 'SET', 'client-output-buffer-limit', `replica ${bytes}`);

const fullResyncs = async (): Promise<number> =>
  Number(parseInfo(String(await cluster.ask(primary.address, 'INFO', 'stats')))['sync_full']);

/** By the log of the primary, which outlives its process. */
const backlogOverruns = async (): Promise<number> =>
  (await readFile(join(primary.home, 'redis.log'), 'utf8')).split('for lack of backlog').length - 1;

/** The upgrade up to where the replica, on its new version, is to be waited for; the link is then made slow. */
async function upToRejoin(limit?: string): Promise<{ operation: Operation; heal: () => Promise<void> }> {
  await stage.faults.draw({ activity: 'rejoin', when: 'before', kind: 'hold', node: replica.address });
  const operation = await start();
  await stage.faults.held();
  const { proxy, undo } = await behindProxy(toxiproxy, cluster, primary);
  await proxy.poison({ type: 'bandwidth', attributes: { rate: KB_PER_SECOND } });
  if (limit !== undefined) await outputBuffer(limit);
  // More than it takes in before anybody looks.
  await using connection = await connect(behind());
  for (let i = 0; i < 50; i++) await write(connection);
  return { operation, heal: undo };
}

/** The replica is taken back over a link that is well again; what is said is true, and the shard is as it was. */
async function expectTakenBack(operation: Operation, heal: () => Promise<void>, reason: RegExp): Promise<void> {
  await operation.until('the replica is given up', ({ phase }) => phase === 'reverting');
  await heal();
  const { type, message } = await operation.failure();
  expect({ type, message }).toMatchObject({ type: 'NotCaughtUp', message: expect.stringMatching(reason) as string });
  expect(message).toContain(`${replica.address} failed on the new version and is back on 7.0.15: ${replica.address} `);
  expect(message).toContain('client-output-buffer-limit replica');
  await expectNothingLost(operation);
  await expectWhole(cluster, { release: '7.0.15', before });
}

test('a link too slow for what is written: the replica never catches up, and is taken back', async () => {
  const { operation, heal } = await upToRejoin();
  await using writer = new Writer();
  await stage.faults.letGo();
  await expectTakenBack(
    operation,
    async () => {
      await writer[Symbol.asyncDispose]();
      await heal();
    },
    /came no nearer for \d+ s: link up, offset \d+ of \d+, [\d.]+ MB behind/,
  );
}, 600_000);

test('its primary cuts it off for its output buffer: no more than four full resyncs are begun', async () => {
  const { operation, heal } = await upToRejoin('65536 65536 1');
  const begun = await fullResyncs();
  await using writer = new Writer();
  await stage.faults.letGo();
  await expectTakenBack(
    operation,
    async () => {
      expect(await fullResyncs()).toBeGreaterThanOrEqual(begun + 3);
      await writer[Symbol.asyncDispose]();
      await outputBuffer('268435456 67108864 60');
      await heal();
    },
    /began 4 full resyncs and came to the end of none/,
  );
}, 600_000);

test('the backlog is overrun while the replica is away: one full resync, said and reported', async () => {
  const [begun, go] = [join(stage.root, 'begun'), join(stage.root, 'go')];
  const program = await inPlaceOfServer(stage, 'waits', (server) => [
    `touch "${begun}"`,
    `while [ ! -e "${go}" ]; do sleep 0.05; done`,
    `exec "${server}" "$@"`,
  ]);
  await stage.deploy('orders', cluster, { policy, platform: { kind: 'process', servers: { '8.0.6': program } } });
  const overruns = await backlogOverruns();

  const operation = await start();
  await until('the replica is down', () => existsSync(begun), 120_000);
  {
    await using connection = await cluster.connect(primary);
    await write(connection);
  }
  await writeFile(go, '');
  await operation.until('it is said', (_, timeline) =>
    timeline.some(
      ({ text, node }) => node === replica.address && /needed a full resync: its primary's backlog/.test(text),
    ),
  );
  expect(await operation.result()).toMatchObject({ result: 'completed' });

  expect(await backlogOverruns()).toBe(overruns + 1);
  const report = await reportIn((await operation.read()).status.artefacts);
  expect(report.resyncs.filter(({ kind }) => kind === 'full')).toMatchObject([{ node: replica.address }]);
  await expectNothingLost(operation);
  await expectWhole(cluster, { release: '8.0.6', before });
  await dataset.expectSame(10_000);
}, 600_000);

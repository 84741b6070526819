import { afterAll, beforeAll, expect, test } from 'vitest';
import { Sandbox, type SandboxNode } from '../../scripts/sandbox/cluster.js';
import { Stage } from '../../scripts/sandbox/stage.js';
import { expectBackups, expectCompleted, expectUnnoticed, readReport } from '../e2e/stage/evidence.js';
import { expectWhole, readNodes } from '../e2e/stage/nodes.js';
import { expectPromisesKept, OddClients } from '../e2e/stage/odd-clients.js';
import { readOddKeys, writeOddKeys } from '../e2e/stage/odd-keys.js';

// What no example has: names of any byte, 100 MB in one value, a million fields, and clients in the middle of something.
let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open();
});
afterAll(() => stage[Symbol.asyncDispose]());

const patient = { timeoutMs: 60_000 };

test('odd keys and odd clients come through an upgrade', async () => {
  await using cluster = await Sandbox.cluster({ release: '7.0', primaries: 1 });
  const [primary, replica] = cluster.nodes as [SandboxNode, SandboxNode];
  let written: Record<string, string>;
  {
    await using node = await cluster.connect(primary, patient);
    await writeOddKeys(node);
    written = lasting(await readOddKeys(node));
  }
  expect(written['million']).toContain('1000000 fields, 1000000 as written');
  expect(written['hundred megabytes']).toContain('104857600 bytes');
  const before = await readNodes(cluster);
  await stage.deploy('odd', cluster);

  await using clients = new OddClients(cluster);
  await clients.subscribe(primary);
  await clients.expectHeard('before');
  const outcome = await (await stage.start('odd', '8.2')).result();
  await clients.expectHeard('after');
  await clients.end();

  expectCompleted(outcome);
  await expectWhole(cluster, { release: '8.2.3', before });
  for (const node of [primary, replica]) {
    await using connection = await cluster.connect(node, patient);
    expect(await readOddKeys(connection)).toEqual(written);
  }
  // The node it had subscribed at was restarted: it was cut off and came back.
  expect(clients.reconnects).toBeGreaterThan(0);
  await expectPromisesKept(clients);
  const report = await readReport(outcome);
  expectUnnoticed(report);
  await expectBackups(report, 1);
}, 1_200_000);

/** Without those that have expired by the end. */
const lasting = (found: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(found).filter(([key]) => !key.startsWith('soon:')));

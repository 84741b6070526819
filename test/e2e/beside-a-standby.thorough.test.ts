import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freezeNow } from '../../activities/standby-freeze.js';
import { takeAway } from '../../activities/standby-removal.js';
import { sync } from '../../activities/standby-sync.js';
import { parseInfo } from '../../redis/info.js';
import { ownLine } from '../../redis/standby/cluster-file.js';
import { imports } from '../../redis/standby/importing.js';
import { readTopology } from '../../redis/topology.js';
import { processesIn } from '../../platforms/process/processes.js';
import { Sandbox, until } from '../../scripts/sandbox/cluster.js';
import { Stage } from '../../scripts/sandbox/stage.js';
import { StandbyStage } from '../activities/standby/stage.js';
import { Dataset } from './stage/dataset.js';
import { expectCompleted, expectUnnoticed, readReport } from './stage/evidence.js';
import { expectWhole, readNodes } from './stage/nodes.js';

// A standby is a member without slots: no gate may stumble over it, no takeover be refused, and nobody upgrade it.
test('an upgrade beside a standby that is none of its own goes on as if it were not there, and the standby outlives it', async () => {
  await using stage = await Stage.open();
  // Whoever looks at the sandbox for the test doesn't see standbys either.
  const hidden: string[] = [];
  await using cluster = await Sandbox.cluster({ release: '6.2', endpoint: { standbys: hidden } });
  const dataset = await Dataset.write(cluster, 600);
  const before = await readNodes(cluster);
  await stage.deploy('orders', cluster, { policy: { handover: 'fast', fallback: 'none' } });
  await using beside = await StandbyStage.open(cluster, join(stage.state, 'orders'));
  const step = { shard: 'shard-1', primary: beside.primary, tell: () => undefined };
  await sync(await beside.attempt(), step);
  const { entry, point } = await freezeNow(await beside.attempt(), step);
  hidden.push(entry.address);
  const server = async () => parseInfo(String(await cluster.ask(entry.address, 'INFO', 'server')));
  const { run_id: started } = await server();

  const outcome = await (await stage.start('orders', '8.0')).result();

  expectCompleted(outcome);
  expect(outcome).toMatchObject({ nodes: 6 });
  await expectWhole(cluster, { release: '8.0.6', before });
  await dataset.expectSame(10_000);
  const report = await readReport(outcome);
  expectUnnoticed(report);
  expect(report.handovers.map(({ mode, fellBack }) => [mode, fellBack])).toEqual(Array(3).fill(['fast', undefined]));
  expect(JSON.stringify(report)).not.toContain(entry.address);
  expect(await server()).toMatchObject({ run_id: started, redis_version: '6.2.14' });

  // It dies, and nobody can sync it anew: it comes back as it was, importing from whoever has the slots now.
  for (const { pid } of await processesIn(entry.home, [])) process.kill(pid, 'SIGKILL');
  const [now] = (await readTopology(cluster.endpoint(), [beside.primary])).shards;
  const again = await freezeNow(await beside.attempt(), { ...step, primary: now?.primary.address ?? '' });
  expect(again.point).toEqual(point);
  const owner = ownLine(String(await cluster.ask(now?.primary.address, 'CLUSTER', 'NODES')));
  await using standby = await cluster.connect({ port: 0, home: entry.home, address: entry.address });
  expect(await imports(standby, owner)).toBe(true);
  expect(await server()).toMatchObject({ redis_version: '6.2.14' });

  await takeAway(await beside.attempt(), (await beside.standbys())[0] ?? entry);
  hidden.pop();
  await until('nobody knows it', async () => {
    const { disagreements } = await readTopology(cluster.endpoint(), [beside.primary]);
    return disagreements.length === 0;
  });
}, 600_000);

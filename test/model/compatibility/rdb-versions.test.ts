// The table says which RDB version each line saves; a wrong number there would let a node empty itself. Asked of the servers.
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { knownLine } from '../../../model/compatibility/release-lines.js';
import { findServers } from '../../../platforms/process/servers.js';
import { Sandbox } from '../../../scripts/sandbox/cluster.js';

const releases = [...(await findServers()).keys()];

test('there are servers to ask', () => expect(releases).not.toEqual([]));

test.each(releases)('%s saves the RDB version of the table', async (release) => {
  await using sandbox = await Sandbox.servers(1, { release });
  await using node = await sandbox.connect();
  await node.call('SET', 'key', 'value');
  await node.call('SAVE');
  const file = await open(join(sandbox.nodes[0]?.home ?? '', 'dump.rdb'));
  const header = await file.read(Buffer.alloc(9), 0, 9, 0).finally(() => file.close());
  // `REDIS0012`, and from Valkey 9.0 on `VALKEY080`.
  expect(Number(/^(?:REDIS|VALKEY)(\d+)$/.exec(header.buffer.toString('latin1'))?.[1])).toBe(knownLine(release)?.rdb);
});

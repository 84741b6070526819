// A replica that somebody had every other node forget: no node tells of it, and the gate `topology` has to.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { noteNames, readNamed } from '../../activities/shard-names.js';
import { Sandbox, until } from '../../scripts/sandbox/cluster.js';

test('a member that is no seed and is forgotten by all is named, until it is back or taken out for good', async () => {
  await using cluster = await Sandbox.cluster({ release: '7.0' });
  const [seed, , , , , stray] = cluster.nodes;
  if (!seed || !stray) throw new Error('six nodes expected');
  const folder = await mkdtemp(join(tmpdir(), 'redis-rollout-names-'));
  try {
    const reading = { endpoint: cluster.endpoint(), deployment: { seeds: [seed.address] }, folder };
    await noteNames(reading, (await readNamed(reading)).topology);
    const disagreements = async (): Promise<string[]> => (await readNamed(reading)).topology.disagreements;
    expect(await disagreements()).toEqual([]);

    const others = cluster.nodes.filter((node) => node !== stray);
    const id = String(await cluster.ask(stray.address, 'CLUSTER', 'MYID'));
    const forget = () => Promise.all(others.map(({ address }) => cluster.ask(address, 'CLUSTER', 'FORGET', id)));
    await forget();
    expect(await disagreements()).toEqual([
      `${stray.address} is forgotten by every other node: let it join again (CLUSTER MEET), or end it where it is to stay out`,
    ]);
    // A reading of one shard says nothing of the whole.
    expect((await readNamed(reading, 'shard-1')).topology.disagreements).toEqual([]);

    for (const { address } of others)
      await cluster.ask(address, 'CLUSTER', 'MEET', '127.0.0.1', Number(stray.address.split(':')[1]));
    await until('it is a member again', async () => (await disagreements()).length === 0);

    await forget();
    await cluster.kill(stray);
    expect(await disagreements()).toEqual([]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}, 240_000);

// A node that is silent for a moment keeps what is noted of it, its users' passwords among it, when nothing may be left.
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { rememberBefore, readOrigin, rememberOrigin } from '../../../activities/before.js';
import { placeOf } from '../../../activities/places.js';
import { forgetOrigins } from '../../../activities/standby-removal.js';
import { noteWhereabouts } from '../../../activities/whereabouts.js';
import type { NodePlace } from '../../../model/work.js';
import { Sandbox } from '../../../scripts/sandbox/cluster.js';
import { StandbyStage } from './stage.js';

test('a replica that hangs as the notes of a shard are removed: its own is removed once it goes on', async () => {
  await using cluster = await Sandbox.cluster({ release: '7.0', primaries: 1 });
  await using stage = await StandbyStage.open(cluster);
  const context = await stage.attempt();
  const places: NodePlace[] = [];
  for (const { address } of cluster.nodes) {
    await using connection = await context.connect(address);
    const place = { ...(await placeOf(connection)), pending: false };
    await rememberBefore(context, connection, place, 'untouched');
    await rememberOrigin(context, place);
    places.push(place);
  }
  await noteWhereabouts(context, places);
  const noted = () => Promise.all(places.map(async (place) => (await readOrigin(context, place))?.release));
  expect(await noted()).toEqual(['7.0.15', '7.0.15']);

  const [, replica] = cluster.nodes;
  if (!replica) throw new Error('two nodes expected');
  await cluster.signal(replica, 'SIGSTOP');
  const forgotten = forgetOrigins(await stage.attempt(), 'shard-1');
  await sleep(7000);
  await cluster.signal(replica, 'SIGCONT');
  await forgotten;
  expect(await noted()).toEqual([undefined, undefined]);
}, 240_000);

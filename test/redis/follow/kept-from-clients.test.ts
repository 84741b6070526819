/**
 * Clients that may not run what makes data of newer kinds: whatever else they do, going back loses nothing. What `rollout plan`
 * names to be kept from them is all of it.
 */
import { expect, test } from 'vitest';
import { makersOfNewData } from '../../../model/compatibility/keeps-way-back.js';
import { connect } from '../../../redis/connection.js';
import { drawing } from '../rewrite/random-commands.js';
import { databases, randomLoad } from './random-load.js';
import { differences } from './followed.js';
import { TwoServers } from './two-servers.js';
import { seed } from './random-run.js';

test.each([
  ['8.2.3', '6.2.14'],
  ['8.0.6', '7.2.4'],
  ['7.0.15', '5.0.6'],
  ['valkey-9.1.2', '7.2.4'],
])(`%s → %s (SEED=${seed})`, async (source, target) => {
  await using pair = await TwoServers.start(source, target);
  const kept = makersOfNewData(source, target);
  expect(kept).not.toEqual([]);
  await pair.primary.call('ACL', 'SETUSER', 'app', 'on', '>x', '~*', '+@all', ...kept.map((name) => `-${name}`));
  await using app = await connect({ ...pair.a.endpoint(), username: 'app', password: 'x' }, { timeoutMs: 60_000 });
  pair.follower.start();
  const next = randomLoad({ release: source, draw: drawing(seed), tags: [] });
  let [sent, accepted, refused] = [0, 0, 0];
  for (let round = 0; round < 10; round++) {
    const commands = Array.from({ length: 200 }, () => next(Date.now())).flat();
    const replies = await app.pipeline(commands);
    sent += commands.length;
    accepted += replies.filter((it) => !(it instanceof Error)).length;
    refused += replies.filter((it) => it instanceof Error && it.message.startsWith('NOPERM')).length;
  }
  expect({ sent: sent > 2000, accepted: accepted > sent / 2, refused: refused > 0 }).toEqual({
    ...{ sent: true, accepted: true, refused: true },
  });
  // What has just expired goes from the standby with the primary's own DEL.
  await expect
    .poll(
      async () => {
        await pair.follower.drained();
        const found = databases.map((db) => differences(pair.a.endpoint(), pair.b.endpoint(), { db }));
        return (await Promise.all(found)).flat();
      },
      { timeout: 30_000 },
    )
    .toEqual([]);
  expect(pair.follower.state).toMatchObject({ class: 'lossless', notRepresentable: [] });
});

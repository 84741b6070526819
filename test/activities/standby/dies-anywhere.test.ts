import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Context } from '../../../activities/context.js';
import { freezeNow } from '../../../activities/standby-freeze.js';
import { takeAway } from '../../../activities/standby-removal.js';
import { sync } from '../../../activities/standby-sync.js';
import { at, connect } from '../../../redis/connection.js';
import { ownLine } from '../../../redis/standby/cluster-file.js';
import { imports } from '../../../redis/standby/importing.js';
import { readTopology } from '../../../redis/topology.js';
import { Sandbox } from '../../../scripts/sandbox/cluster.js';
import { watching } from '../../../scripts/sandbox/touches.js';
import { StandbyStage } from './stage.js';

const shard = 'shard-1';
const tell = (): void => undefined;

// Each attempt dies at the first thing that it is about to do to the world at which none died before, until one comes to
// its end: what one left half done, the next has to make whole. Nothing that a dead attempt does reaches the world.
test.each(['5.0.6', '8.0.6'])(
  '%s: a worker that dies at any step of adding, freezing and removing',
  async (release) => {
    await using cluster = await Sandbox.cluster({ release, primaries: 1 });
    await using stage = await StandbyStage.open(cluster);
    const step = { shard, primary: stage.primary, tell };
    for (let n = 0; n < 500; n++) await cluster.ask(stage.primary, 'SET', `key ${n}`, n, 'EX', 1000);

    const died = new Set<string>();
    const whatever = async <T>(act: (context: Context) => Promise<T>): Promise<T> => {
      for (;;) {
        const context = await stage.attempt();
        const attempt = { dead: false };
        try {
          const result = await watching(
            (what, connection) => {
              const change = changeOf(what);
              if (change === undefined || (!attempt.dead && died.has(change))) return;
              if (!attempt.dead) died.add(change);
              attempt.dead = true;
              // A command is never sent; what was sent before may still be answered, and nobody hears it.
              if (connection) connection.destroy();
              else throw new Error(`died at ${change}`);
            },
            () => act(context),
          );
          if (!attempt.dead) return result;
        } catch (error) {
          if (!attempt.dead) throw error;
        }
      }
    };

    const entry = await whatever((context) => sync(context, step));
    const frozen = await whatever((context) => freezeNow(context, step));
    expect((await stage.standbys()).map(({ state, address }) => ({ state, address }))).toEqual([
      { state: 'frozen', address: frozen.entry.address },
    ]);
    expect(frozen.entry.address).toBe(entry.address);
    {
      await using standby = await connect(at(cluster.endpoint(), entry.address));
      expect(await standby.call('DBSIZE')).toBe(501);
      expect(await imports(standby, ownLine(String(await cluster.ask(stage.primary, 'CLUSTER', 'NODES'))))).toBe(true);
    }
    const [known] = await stage.standbys();
    if (!known) throw new Error('expected a standby');
    await whatever((context) => takeAway(context, known));
    expect(existsSync(entry.home)).toBe(false);
    expect(await stage.standbys()).toEqual([]);
    const seeds = cluster.nodes.map(({ address }) => address);
    expect((await readTopology(cluster.endpoint(), seeds)).disagreements).toEqual([]);
    // It died at what matters, and not only on the way there.
    const steps = [...died].join('\n');
    for (const one of [/REPLICAOF/i, /BGSAVE/i, /SHUTDOWN/i, /MEET/i, /FORGET/i, /standbys\.json/, /nodes\.conf/])
      expect(steps).toMatch(one);
  },
  600_000,
);

/**
 * What is done to the world, by the same name each time. Looking is no step: what it was told is lost with who died. And who
 * dies in a process that lives on keeps its locks, which nobody may take away: that is tried in test/platforms/.
 */
function changeOf(touch: string): string | undefined {
  const what = touch.replaceAll(/\s+/g, ' ');
  if (/\/lock(-\S*)?( |$)/.test(what)) return undefined;
  if (/^command (auth|ping|info|role|hmget|config get|acl list|client|cluster (nodes|info)|asking|time)\b/i.test(what))
    return undefined;
  return what.replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{40}|\d+/g, '#').replace(/ [[{].*$/, '');
}

import { expect, test } from 'vitest';
import { readAccount } from '../../../redis/account.js';
import { at } from '../../../redis/connection.js';
import { parseInfo } from '../../../redis/info.js';
import { cutOver } from '../../../redis/standby/cut-over.js';
import { ownSlots } from '../../../redis/standby/may-cut-over.js';
import { until } from '../../../scripts/sandbox/cluster.js';
import { standbyStage, type StandbyStage } from './stage.js';
import { watched } from './watched.js';
import { startWriting } from './writer.js';

const [hold, read, take] = ['CLIENT PAUSE+INFO', 'ASKING+HMGET+TIME', 'ASKING+EVALSHA'];

/** Something happens to a node once, at a write of the cutover. */
function happening(
  { endpoint }: StandbyStage,
  { before, after, once }: { before?: string; after?: string; once: () => Promise<unknown> },
) {
  let held = false;
  let happened = false;
  const at = (wanted: string | undefined) => async (label: string) => {
    if (label === hold) held = true;
    if (label !== wanted || !held || happened) return;
    happened = true;
    await once();
  };
  return watched(endpoint, { before: at(before), after: at(after) });
}

test.concurrent(
  'a standby that hangs while the follower drains: refused, and writes go on while it hangs',
  async () => {
    await using stage = await standbyStage('8.0.6', '5.0.6');
    await stage.follow();
    await using writing = startWriting(stage);
    await writing.written(100);
    const hang = () => stage.extra.signal(stage.standby, 'SIGSTOP');
    const refused = cutOver({ ...stage.input, ...happening(stage, { before: read, once: hang }) });
    await expect(refused).rejects.toMatchObject({
      type: 'HandoverFailed',
      message: expect.stringMatching(/did not say within .* nothing was done, and .* serves on/) as string,
    });
    await writing.written(100);
    await stage.extra.signal(stage.standby, 'SIGCONT');
    await stage.caughtUp();
    expect(await cutOver(stage.input)).toMatchObject({ already: false });
    await writing.written(100);
    expect(await writing.lost()).toEqual([]);
    expect(writing.failed).toEqual([]);
  },
  240_000,
);

test.concurrent.each(['5.0.6', '7.0.15'])(
  'a standby of %s that hangs as it is told to take the slots: its claim is void, and what it does later changes nothing',
  async (older) => {
    await using stage = await standbyStage('8.0.6', older);
    await stage.follow();
    await using writing = startWriting(stage);
    await writing.written(100);
    const epochOf = async (): Promise<number> =>
      Number(parseInfo(String(await stage.cluster.ask(stage.primary.address, 'CLUSTER', 'INFO')))['cluster_my_epoch']);
    const before = await epochOf();
    const hang = () => stage.extra.signal(stage.standby, 'SIGSTOP');
    const undone = cutOver({ ...stage.input, ...happening(stage, { before: take, once: hang }) });
    await expect(undone).rejects.toMatchObject({
      type: 'HandoverFailed',
      message: expect.stringContaining(`${stage.primary.address} serves on`) as string,
    });
    expect(await epochOf()).toBeGreaterThan(before + 1);
    await writing.written(100);
    await stage.extra.signal(stage.standby, 'SIGCONT');
    await writing.written(100);
    expect(await writing.lost(stage.primary.address)).toEqual([]);
    await stage.caughtUp();
    expect(await cutOver(stage.input)).toMatchObject({ already: false });
    expect(await writing.lost()).toEqual([]);
  },
  240_000,
);

test.concurrent.each(['5.0.6', '7.0.15'])(
  'a standby of %s that dies just after it took the slots, and comes back: whoever is the owner then has every write',
  async (older) => {
    await using stage = await standbyStage('8.0.6', older);
    await stage.follow();
    await using writing = startWriting(stage);
    await writing.written(100);
    const kill = () => stage.extra.kill(stage.standby);
    await expect(
      cutOver({ ...stage.input, ...happening(stage, { after: take, once: kill }), confirmWithinMs: 1000 }),
    ).rejects.toThrow();
    await stage.extra.start(stage.standby);
    let owner = '';
    await until('all agree on the owner again', async () => {
      const views = await Promise.all(stage.nodes.map((address) => stage.cluster.ask(address, 'CLUSTER', 'NODES')));
      const owners = views.map(
        (view) => / ?(\S+)@\S* \S*master\S* \S+ \d+ \d+ \d+ connected 0-5460/.exec(String(view))?.[1],
      );
      owner = owners[0] ?? '';
      return owner !== '' && owners.every((it) => it === owner);
    });
    await writing.written(100);
    expect(await writing.lost(owner)).toEqual([]);
  },
  240_000,
);

test.concurrent(
  'a primary that dies as the standby takes the slots: the shard is served, and it comes back as a replica',
  async () => {
    await using stage = await standbyStage('8.0.6', '5.0.6');
    await stage.follow();
    await using writing = startWriting(stage);
    await writing.written(100);
    const kill = () => stage.cluster.kill(stage.primary);
    const hasEnded = async (): Promise<boolean> => (await stage.cluster.pids(stage.primary)).length === 0;
    const watch = happening(stage, { before: take, once: kill });
    expect(await cutOver({ ...stage.input, ...watch, hasEnded })).toMatchObject({ already: false });
    await writing.written(100);
    await stage.cluster.start(stage.primary);
    await until('it replicates the standby', async () => {
      const info = parseInfo(String(await stage.cluster.ask(stage.primary.address, 'INFO', 'replication')));
      return info['master_port'] === String(stage.standby.port) && info['master_link_status'] === 'up';
    });
    expect(await writing.lost()).toEqual([]);
    expect(await writing.lost(stage.primary.address).catch(String)).toMatch(/MOVED/);
  },
  240_000,
);

test.concurrent(
  'a primary that dies while the follower drains: nothing is taken, and its replica is promoted',
  async () => {
    await using stage = await standbyStage('8.0.6', '5.0.6', ['cluster-node-timeout 2000']);
    await stage.follow();
    await using writing = startWriting(stage);
    await writing.written(100);
    const kill = () => stage.cluster.kill(stage.primary);
    const refused = cutOver({ ...stage.input, ...happening(stage, { before: read, once: kill }) });
    await expect(refused).rejects.toMatchObject({
      type: 'HandoverFailed',
      message: expect.stringContaining('does not say that it holds writes') as string,
    });
    await until('the replica is promoted', async () => {
      const [role] = (await stage.cluster.ask(stage.replica.address, 'ROLE')) as [string];
      return role === 'master';
    });
    await writing.written(100);
  },
  240_000,
);

// It has forgotten the standby, as somebody's CLUSTER FORGET would have it, and hears nothing of it for a minute.
test.concurrent(
  'a primary that does not hear that the standby took the slots: they are taken from it, and nothing that it acknowledged is lost',
  async () => {
    await using stage = await standbyStage('8.0.6', '7.0.15');
    await stage.follow();
    await using writing = startWriting(stage);
    await writing.written(100);
    const { primary, standby, cluster, endpoint } = stage;
    const { node } = await readAccount(at(endpoint, standby.address));
    const forget = () => cluster.ask(primary.address, 'CLUSTER', 'FORGET', node.id);
    const unheard = cutOver({ ...stage.input, ...happening(stage, { before: take, once: forget }) });
    await expect(unheard).rejects.toMatchObject({
      type: 'RolesUnsettled',
      message: expect.stringContaining(`${primary.address} has not heard of it`) as string,
    });
    expect(ownSlots(await readAccount(at(endpoint, primary.address)))).toBe('');
    await writing.written(100);
    // Until the others tell it of the standby again, once its minute is over.
    let done: Awaited<ReturnType<typeof cutOver>> | undefined;
    await until(
      'the cutover is confirmed',
      async () => {
        done = await cutOver(stage.input).catch(() => undefined);
        return done !== undefined;
      },
      150_000,
    );
    expect(done).toMatchObject({ already: true });
    expect(await writing.lost()).toEqual([]);
  },
  480_000,
);

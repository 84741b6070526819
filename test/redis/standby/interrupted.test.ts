import { expect, test } from 'vitest';
import { cutOver } from '../../../redis/standby/cut-over.js';
import { readAccount } from '../../../redis/account.js';
import { at } from '../../../redis/connection.js';
import { standbyStage, type StandbyStage } from './stage.js';
import { watched } from './watched.js';
import { startWriting } from './writer.js';
import { thorough } from '../../thorough.js';

type Point = { when: 'before' | 'after'; write: string; after?: string };

/** An attempt that dies at the point: at the first such write after the first one of `after`. */
function dying({ endpoint }: StandbyStage, { when, write, after }: Point) {
  let armed = after === undefined;
  const at = (moment: 'before' | 'after') => (label: string, text: string) => {
    if (moment === 'after' && after !== undefined && label === after) armed = true;
    else if (armed && moment === when && (label === write || text === write)) throw new Error('dies');
  };
  return watched(endpoint, { before: at('before'), after: at('after') });
}

/** @returns whether it came to the point */
async function attemptThatDies(stage: StandbyStage, point: Point): Promise<boolean> {
  const { connectToAct, hasDied } = dying(stage, point);
  await expect(cutOver({ ...stage.input, connectToAct }), JSON.stringify(point)).rejects.toThrow();
  return hasDied();
}

async function ownSlotsOf(stage: StandbyStage, address: string): Promise<number> {
  const { peers } = await readAccount(at(stage.endpoint, address));
  return peers.find((peer) => peer.myself)?.slots.length ?? 0;
}

const [hold, read, sure, take] = ['CLIENT PAUSE+INFO', 'ASKING+HMGET+TIME', 'CLIENT PAUSE+ROLE', 'ASKING+EVALSHA'];

/** Nothing has moved yet: the primary has the slots, and the next attempt begins anew. */
const earlier = (older: string): Point[] => [
  { when: 'before', write: 'SCRIPT' },
  { when: 'after', write: 'SCRIPT' },
  ...(older.startsWith('5')
    ? [
        { when: 'after', write: 'CONFIG SET cluster-node-timeout' } as const,
        { when: 'after', write: 'CLUSTER INFO' } as const,
      ]
    : []),
  { when: 'after', write: read },
  { when: 'before', write: hold },
  { when: 'after', write: hold },
  { when: 'before', write: read, after: hold },
  { when: 'after', write: read, after: hold },
  { when: 'before', write: sure, after: hold },
  { when: 'after', write: sure, after: hold },
  { when: 'before', write: take },
];

/** The standby has the slots: the next attempt sees it through. */
const later: Point[] = [
  { when: 'after', write: take },
  { when: 'before', write: 'ROLE', after: take },
  { when: 'before', write: 'CLIENT UNPAUSE' },
  { when: 'after', write: 'CLIENT UNPAUSE' },
  { when: 'before', write: 'CONFIG SET cluster-replica-no-failover' },
  { when: 'after', write: 'CONFIG SET cluster-replica-no-failover' },
];

const olders = ['5.0.6', '7.0.15'];
/** By turns. */
const atPoint = (i: number): string[] => olders.filter((_, n) => thorough || i % olders.length === n);

test.concurrent.each(olders)(
  'to %s, attempts that die one after the other before the slots are taken: nothing has moved, and the next one does it',
  async (older) => {
    await using stage = await standbyStage('8.0.6', older);
    await stage.follow();
    await using writing = startWriting(stage);
    await writing.written(100);
    for (const point of earlier(older)) {
      expect(await attemptThatDies(stage, point), JSON.stringify(point)).toBe(true);
      expect(await ownSlotsOf(stage, stage.primary.address), JSON.stringify(point)).toBe(1);
      expect(await ownSlotsOf(stage, stage.standby.address), JSON.stringify(point)).toBe(0);
      await writing.written(20);
    }
    expect(await cutOver(stage.input)).toMatchObject({ already: false });
    await writing.written(100);
    expect(await writing.lost()).toEqual([]);
    expect(writing.failed).toEqual([]);
    await expectSettled(stage);
  },
  600_000,
);

test.concurrent.each(later.flatMap((point, i) => atPoint(i).map((older) => [older, point] as const)))(
  'to %s, an attempt that dies %o, with the slots taken: the next one sees it through',
  async (older, point) => {
    await using stage = await standbyStage('8.0.6', older);
    await stage.follow();
    await using writing = startWriting(stage);
    await writing.written(100);
    expect(await attemptThatDies(stage, point)).toBe(true);
    expect(await cutOver(stage.input)).toMatchObject({ already: true });
    await writing.written(100);
    expect(await writing.lost()).toEqual([]);
    expect(writing.failed).toEqual([]);
    await expectSettled(stage);
  },
  240_000,
);

/** The standby has the slots and the usual settings, and the old primary follows it. */
async function expectSettled(stage: StandbyStage): Promise<void> {
  const { standby, primary, endpoint, extra, cluster } = stage;
  const owner = await readAccount(at(endpoint, standby.address));
  const old = await readAccount(at(endpoint, primary.address));
  expect(await ownSlotsOf(stage, standby.address)).toBe(1);
  expect(old.peers.find((peer) => peer.myself)?.primaryId).toBe(owner.node.id);
  expect(owner.nodeTimeoutMs).toBe(old.nodeTimeoutMs);
  const directive = ['CONFIG', 'GET', 'cluster-replica-no-failover'] as const;
  expect(await extra.ask(standby.address, ...directive)).toEqual(await cluster.ask(primary.address, ...directive));
}

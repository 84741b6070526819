// A part that is taken for the whole; a sample that never comes to the shard that is broken; a cluster that can't serve or elect.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { choosePart, partText, scratchShards, VOTERS, type DrillPart } from '../../model/drill-part.js';
import { overlap, SLOTS, slotCount, type SlotRange } from '../../model/topology.js';

const shardsOf = (count: number): { shard: string; slots: SlotRange[] }[] =>
  Array.from({ length: count }, (_, i) => ({
    shard: `shard-${i + 1}`,
    slots: [[Math.round((i * SLOTS) / count), Math.round(((i + 1) * SLOTS) / count) - 1]],
  }));
const six = shardsOf(6);
const recoveryTime = { ms: 1 };
const named = (chosen: ReturnType<typeof choosePart>): string[] | undefined =>
  chosen && 'shards' in chosen ? chosen.shards : undefined;

describe('what is restored', () => {
  test('is all of it where nothing is asked for, and where what is asked for is all of it', () => {
    expect(choosePart(six, {}, [])).toBeUndefined();
    expect(choosePart(six, { sample: 6 }, [])).toBeUndefined();
    expect(choosePart(six, { sample: 60 }, [])).toBeUndefined();
    expect(choosePart(six, { slots: [[0, SLOTS - 1]] }, [])).toBeUndefined();
    expect(choosePart(six, { shards: six.map(({ shard }) => shard) }, [])).toBeUndefined();
  });
  test('are the shards that are named; one that the backup has not is refused by name', () => {
    expect(choosePart(shardsOf(4), { shards: ['shard-4', 'shard-1'] }, [])).toEqual({
      ...{ shards: ['shard-1', 'shard-4'], ofShards: 4, share: 0.5 },
    });
    expect(choosePart(six, { shards: ['shard-1', 'shard-7'] }, [])).toEqual({
      refused: expect.stringContaining('found shard-7') as string,
    });
  });
  test('are the shards that the slots lie in, and only these slots of them', () => {
    const part = choosePart(shardsOf(2), { slots: [[8190, 8193]] }, []);
    expect(part).toMatchObject({ shards: ['shard-1', 'shard-2'], slots: [[8190, 8193]], share: 4 / SLOTS });
    expect(partText(part as DrillPart)).toBe('slots 8190-8193 of 2 of 2 shards (shard-1, shard-2)');
  });
});

describe('a sample', () => {
  test('comes to every shard in turn, those first that were never restored', () => {
    const held: { recoveryTime: object; part: DrillPart }[] = [];
    const turns = [0, 1, 2, 3].map(() => {
      const part = choosePart(six, { sample: 2 }, held) as DrillPart;
      held.unshift({ recoveryTime, part });
      return part.shards;
    });
    expect(turns.slice(0, 3).flat().sort()).toEqual(six.map(({ shard }) => shard));
    expect(turns[3]).toEqual(turns[0]);
  });
  test('does not count a drill that restored nothing, nor one of some slots; a whole one counts for all', () => {
    const part = (shard: string, slots?: SlotRange[]): DrillPart => ({
      ...{ shards: [shard], ofShards: 6, share: 1 / 6 },
      ...(slots ? { slots } : {}),
    });
    const nothing = { part: part('shard-1') };
    const some = { recoveryTime, part: part('shard-1', [[0, 1]]) };
    const second = { recoveryTime, part: part('shard-2') };
    expect(named(choosePart(six, { sample: 1 }, [nothing, some]))).toEqual(['shard-1']);
    expect(named(choosePart(six, { sample: 1 }, [second, { recoveryTime }]))).toEqual(['shard-1']);
    expect(named(choosePart(six, { sample: 5 }, [second, { recoveryTime }]))).not.toContain('shard-2');
  });
});

test('a scratch cluster serves every slot once, elects, and has data only where it is restored', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 0, max: 2 ** 31 }), (count, seed) => {
      const all = shardsOf(count);
      const shards = all.filter((_, i) => (seed >> (i % 31)) & 1 || i === seed % count).map(({ shard }) => shard);
      const cluster = scratchShards(all, { shards });
      expect(slotCount(cluster.flatMap(({ slots }) => slots))).toBe(SLOTS);
      const [first, ...rest] = cluster;
      for (const it of rest) expect(overlap(it.slots, first?.slots ?? [])).toBe(0);
      expect(cluster.filter(({ alone }) => !alone).map(({ shard }) => shard)).toEqual(shards);
      if (shards.length < count) expect(cluster.length).toBeGreaterThanOrEqual(VOTERS);
    }),
  );
  expect(scratchShards(six, undefined)).toEqual(six);
});

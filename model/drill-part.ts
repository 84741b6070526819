import { z } from 'zod';
import { formatSlots, overlap, slotCount, SLOTS, type SlotRange } from './topology.js';

const count = z.number().int().min(0);

/** What of a deployment a drill restored, where that was not all of it. */
export const drillPart = z.strictObject({
  /** As the backup names them, and how many it has. */
  shards: z.array(z.string()).min(1),
  ofShards: count,
  /** Only keys of these, where not of all that the shards have; inclusive ranges. */
  slots: z.array(z.tuple([count, count])).optional(),
  /** Of all slots, 0 to 1: drills of the same share are held against each other. */
  share: z.number().min(0).max(1),
});
export type DrillPart = z.output<typeof drillPart>;

export interface PartAsked {
  shards?: readonly string[] | undefined;
  slots?: readonly SlotRange[] | undefined;
  /** So many shards, whichever were restored least lately. */
  sample?: number | undefined;
}

interface Shard {
  shard: string;
  slots: readonly SlotRange[];
}

/** A drill of before, the newest first. */
interface Before {
  recoveryTime?: object | undefined;
  part?: DrillPart | undefined;
}

/**
 * Which shards of a backup are restored; undefined for all of it.
 *
 * @param before drills that were held, the newest first: a sample takes its turns by them
 */
export function choosePart(
  all: readonly Shard[],
  { shards, slots, sample }: PartAsked,
  before: readonly Before[],
): DrillPart | { refused: string } | undefined {
  const unknown = shards?.find((name) => !all.some(({ shard }) => shard === name));
  if (unknown !== undefined)
    return { refused: `shards: expected shards of the backup (${namesOf(all)}), found ${unknown}` };
  const chosen =
    sample !== undefined
      ? sampleOf(all, sample, before)
      : all.filter((it) => (shards ? shards.includes(it.shard) : slots ? overlap(it.slots, slots) > 0 : true));
  const covered = chosen.reduce((sum, it) => sum + (slots ? overlap(it.slots, slots) : slotCount(it.slots)), 0);
  if (chosen.length === all.length && covered === SLOTS) return undefined;
  return {
    ...{ shards: chosen.map(({ shard }) => shard), ofShards: all.length, share: covered / SLOTS },
    ...(slots ? { slots: slots.map(([from, to]): SlotRange => [from, to]) } : {}),
  };
}

/** Those that no drill has restored, then those that were restored the longest ago. */
function sampleOf<Of extends Shard>(all: readonly Of[], sample: number, before: readonly Before[]): Of[] {
  const ago = ({ shard }: Shard): number => {
    const at = before.findIndex(
      ({ recoveryTime, part }) =>
        recoveryTime !== undefined && (part === undefined || (part.slots === undefined && part.shards.includes(shard))),
    );
    return at === -1 ? Infinity : at;
  };
  const turn = new Set(
    [...all.entries()]
      .map(([i, it]) => ({ i, it, ago: ago(it) }))
      .sort((a, b) => (a.ago === b.ago ? a.i - b.i : b.ago - a.ago))
      .slice(0, sample)
      .map(({ it }) => it.shard),
  );
  return all.filter(({ shard }) => turn.has(shard));
}

const namesOf = (shards: readonly Shard[]): string => {
  const names = shards.slice(0, 6).map(({ shard }) => shard);
  return shards.length > names.length ? `${names.join(', ')}, …` : names.join(', ');
};

/** `2 of 6 shards (shard-1, shard-4)`, `slots 0-99 of 1 of 6 shards (shard-1)` */
export function partText({ shards, ofShards, slots }: DrillPart): string {
  const names = namesOf(shards.map((shard) => ({ shard, slots: [] })));
  return `${slots ? `slots ${formatSlots(slots).replaceAll(' ', ', ')} of ` : ''}${shards.length} of ${ofShards} ${ofShards === 1 ? 'shard' : 'shards'} (${names})`;
}

/** A shard of a scratch cluster. */
export interface ScratchShard extends Shard {
  /** Without a replica: it has no data, and only holds slots and votes. */
  alone?: true;
}

/** Primaries that have to agree before one of them is failed over from: with fewer nobody is elected. */
export const VOTERS = 3;

/**
 * The shards of a cluster that a part is restored into. It has to serve every slot and to elect, as the whole would:
 * slots of the shards that are left out go to primaries without data.
 */
export function scratchShards(all: readonly Shard[], part: Pick<DrillPart, 'shards'> | undefined): ScratchShard[] {
  const chosen = all.filter(({ shard }) => part === undefined || part.shards.includes(shard));
  const left = all
    .filter((it) => !chosen.includes(it))
    .flatMap(({ slots }) => slots)
    .sort(([a], [b]) => a - b);
  const total = slotCount(left);
  if (total === 0) return chosen;
  const fillers = Math.min(total, Math.max(1, VOTERS - chosen.length));
  return [
    ...chosen,
    ...inPieces(left, Math.ceil(total / fillers)).map((slots, i) => ({
      ...{ shard: `no-data-${i + 1}`, slots },
      alone: true as const,
    })),
  ];
}

/** Ranges, cut so that each piece has so many slots; the last may have fewer. */
function inPieces(ranges: readonly SlotRange[], size: number): SlotRange[][] {
  const pieces: SlotRange[][] = [[]];
  let room = size;
  for (const [from, to] of ranges)
    for (let at = from; at <= to;) {
      if (room === 0) {
        pieces.push([]);
        room = size;
      }
      const end = Math.min(to, at + room - 1);
      pieces.at(-1)?.push([at, end]);
      room -= end - at + 1;
      at = end + 1;
    }
  return pieces;
}

import { archiveFolder, parseSegment, slotsFolder, segmentObject, segmentsOf, type Segment } from '../model/archive.js';
import type { Deployment } from '../model/deployment.js';
import { RolloutError } from '../model/failures.js';
import {
  decodeSegment,
  encodeSegment,
  encodeSeveral,
  type SegmentHeader,
  type StreamRecord,
} from './archive-segment.js';
import { backupTarget, type BackupTarget } from './backup-target.js';
import { compress, decompress } from './gzip.js';
import { damaged, seal, unseal, type SealedAs, type SealingKeys } from './sealed.js';

export type StoredSegment = Segment & { bytes: number };

/** How many are removed at once. */
const AT_ONCE = 16;

/** The archived streams of a deployment, beside its backups. */
export class ArchiveStore {
  private constructor(
    private readonly deployment: string,
    private readonly target: BackupTarget,
  ) {}

  /** @throws RolloutError Unauthorized, naming a reference of the deployment file */
  static async open({ name, backup }: Pick<Deployment, 'name' | 'backup'>): Promise<ArchiveStore> {
    return new ArchiveStore(name, await backupTarget(backup));
  }

  /**
   * Every segment, or those of a shard's slots, by name alone.
   *
   * @throws RolloutError Unreachable, Unauthorized, BadDeploymentFile
   */
  async segments(slots?: string): Promise<Segment[]> {
    const { deployment } = this;
    return segmentsOf(await this.target.list(slots === undefined ? archiveFolder(deployment) : slotsFolder(deployment, slots))); // prettier-ignore
  }

  /** The same with their size in the target, bytes. @throws as `segments` */
  async stored(): Promise<StoredSegment[]> {
    return (await this.target.objects(archiveFolder(this.deployment))).flatMap(({ object, bytes }) => {
      const segment = parseSegment(object);
      return segment ? [{ ...segment, bytes }] : [];
    });
  }

  /**
   * Removes segments in this order. It ends at one that is locked: those that were put later are locked for longer.
   *
   * @param inTime throws where it is too late for it
   * @returns how many are gone; `locked`: what keeps the next from going, as a sentence goes on after `until `
   */
  async remove(
    segments: readonly Segment[],
    inTime: () => void = () => undefined,
  ): Promise<{ removed: number; locked?: string }> {
    for (let removed = 0; removed < segments.length; removed += AT_ONCE) {
      const some = segments.slice(removed, removed + AT_ONCE).map(({ object }) => object);
      const until = await Promise.all(some.map((object) => this.target.lockedUntil(object)));
      const at = until.findIndex((it) => it !== undefined);
      const free = at < 0 ? some : some.slice(0, at);
      inTime();
      const gone = await Promise.all(free.map((object) => this.target.remove(object)));
      const kept = gone.indexOf(false);
      if (kept >= 0) return { removed: removed + kept, locked: `the store lets go of ${free[kept] ?? ''}` };
      if (at >= 0) return { removed: removed + at, locked: until[at] ?? '' };
    }
    return { removed: segments.length };
  }

  /** @returns it, and how many bytes lie in the target. @throws RolloutError as the target */
  async put(
    segment: Omit<Segment, 'object'>,
    { header, records, keys }: { header: SegmentHeader; records: readonly StreamRecord[]; keys: SealingKeys },
  ): Promise<{ segment: Segment; sealedBytes: number }> {
    const object = segmentObject(this.deployment, segment);
    const plain = await encodeSegment(header, records);
    const pieces: Buffer[] = [];
    for await (const piece of seal([plain], { keys, as: this.#as(object) })) pieces.push(piece);
    const { bytes } = await this.target.putAtOnce(object, Buffer.concat(pieces));
    return { segment: { ...segment, object }, sealedBytes: bytes };
  }

  /**
   * As `put`, of what others hold, on its way.
   *
   * @param parts of which the first begins with the segment's first byte, and the last ends with its last
   * @throws RolloutError as the target; whatever `parts` throws, and then nothing is there
   */
  async putMerged(
    segment: Omit<Segment, 'object'>,
    { parts, keys }: { parts: AsyncIterable<SegmentHeader | StreamRecord>; keys: SealingKeys },
  ): Promise<Segment> {
    const object = segmentObject(this.deployment, segment);
    const compressed = compress(encodeSeveral(parts, segment));
    await this.target.put(object, seal(compressed, { keys, as: this.#as(object) }));
    return { ...segment, object };
  }

  /** Is it said of a segment, and that is not there, or no more? */
  async lacks(error: unknown): Promise<boolean> {
    if (!(error instanceof RolloutError) || error.type !== 'Damaged') return false;
    return !(await this.segments()).some(({ object }) => error.message.startsWith(`${object}: `));
  }

  /** Until when nobody can remove it, as `BackupTarget.lockedUntil` says it. */
  lockedUntil({ object }: Segment): Promise<string | undefined> {
    return this.target.lockedUntil(object);
  }

  /**
   * What it begins with, then what arrived, in order. One that was made of several has the beginning of each. Each piece is
   * authentic; the segment is whole only once this has come to its end.
   *
   * @throws RolloutError Damaged, naming the object; Unreachable, Unauthorized
   */
  async *get(segment: Segment, keys: SealingKeys): AsyncGenerator<SegmentHeader | StreamRecord, void, void> {
    const { object } = segment;
    const opened = unseal(this.target.get(object), { keys, as: this.#as(object) });
    try {
      yield* decodeSegment(decompress(opened), segment);
    } catch (error) {
      if (error instanceof RolloutError || !/^Z_/.test((error as NodeJS.ErrnoException).code ?? '')) throw error;
      throw damaged(object, `what is sealed in it is not compressed as it should be (${(error as Error).message})`);
    }
  }

  #as(object: string): SealedAs {
    return { deployment: this.deployment, backup: 'archive', object };
  }
}

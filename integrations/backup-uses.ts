import { setTimeout as sleep } from 'node:timers/promises';
import { backupUse, removalsFolder, useObject, usesFolder, type BackupUse } from '../model/backup-use.js';
import type { Deployment } from '../model/deployment.js';
import { RolloutError } from '../model/failures.js';
import { backupTarget, type BackupTarget } from './backup-target.js';

/** How long whoever removes something may take from when it has said so, ms. */
const REMOVAL_MS = 60_000;
/** And so long is waited for it: a request of it may still be under way. */
const OVER_MS = 2 * REMOVAL_MS;
const LOOK_EVERY_MS = 500;
/** Stores tell times in whole seconds. */
const ROUNDED_MS = 1000;
/** Of one that died before it could take its word back, ms. */
const STALE_MS = 86_400_000;

/**
 * Who reads which backup, written down in the target itself: a restore may be another deployment's, by another Temporal. Whoever
 * reads says so, and then looks who removes; whoever removes says so, and then looks who reads. Stores list what was put
 * before (https://aws.amazon.com/s3/consistency/), so at least one of two sees the other.
 */
export class BackupUses {
  constructor(
    private readonly deployment: string,
    private readonly target: BackupTarget,
    private readonly wait: (ms: number) => Promise<unknown> = sleep,
  ) {}

  /** @throws RolloutError Unauthorized, naming a reference of the deployment file */
  static async open({ name, backup }: Pick<Deployment, 'name' | 'backup'>): Promise<BackupUses> {
    return new BackupUses(name, await backupTarget(backup));
  }

  /**
   * From when this has come to its end nothing of the backup is removed, nor of the archive behind it, while its run lasts. What
   * was removed before is to be looked at afterwards. Where the target takes nothing from this user, or is full, it goes on
   * without: a restore is worth more.
   *
   * @throws RolloutError Unreachable
   */
  async hold(use: Omit<BackupUse, 'format'>): Promise<void> {
    const content = Buffer.from(JSON.stringify({ format: 1, ...use } satisfies BackupUse));
    const own = useObject(this.deployment, use);
    try {
      await this.target.putAtOnce(own, content, { unlocked: true });
    } catch (error) {
      if (error instanceof RolloutError && (error.type === 'Unauthorized' || error.type === 'NoSpace')) return;
      throw error;
    }
    // Who begins to remove something after this sees that it is read.
    const before = await this.#removalsBefore(own);
    for (let waited = 0; ; waited += LOOK_EVERY_MS) {
      for (const [one, leftMs] of before) if (leftMs <= waited) before.delete(one);
      if (before.size === 0) return;
      await this.wait(LOOK_EVERY_MS);
      const there = await this.target.list(removalsFolder(this.deployment));
      for (const one of before.keys()) if (!there.includes(one)) before.delete(one);
    }
  }

  /** Everybody who has said that it reads one; `seenAt`: when, Unix ms. */
  async all(): Promise<(BackupUse & { seenAt: number })[]> {
    const found: (BackupUse & { seenAt: number })[] = [];
    for (const { object, modifiedAt } of await this.target.objects(usesFolder(this.deployment))) {
      const use = object.startsWith(removalsFolder(this.deployment)) ? undefined : await this.#read(object);
      if (use) found.push({ ...use, seenAt: modifiedAt });
    }
    return found;
  }

  async forget(use: BackupUse): Promise<void> {
    await this.target.remove(useObject(this.deployment, use));
  }

  /**
   * Lets `act` remove what nobody reads.
   *
   * @param holder of its own for each attempt
   * @param act looks who reads before it removes anything, and calls `inTime` right before each removal
   * @throws RolloutError Unreachable where looking took too long; whatever `act` throws
   */
  async whileRemoving<Result>(holder: string, act: (inTime: () => void) => Promise<Result>): Promise<Result> {
    const object = `${removalsFolder(this.deployment)}${holder}.json`;
    const begun = performance.now();
    await this.target.putAtOnce(object, Buffer.from('{}'), { unlocked: true });
    try {
      return await act(() => {
        if (performance.now() - begun > REMOVAL_MS)
          throw new RolloutError('Unreachable', `${this.target.name} is too slow to be sure that nobody reads what is to be removed`); // prettier-ignore
      });
    } finally {
      await this.target.remove(object);
    }
  }

  /** Of those who removed something and died. @param now Unix ms */
  async tidy(now: number): Promise<void> {
    for (const { object, modifiedAt } of await this.target.objects(removalsFolder(this.deployment)))
      if (modifiedAt < now - STALE_MS) await this.target.remove(object);
  }

  /** Who is about to remove something, and how much longer that may take, ms, by the store's own clock. */
  async #removalsBefore(own: string): Promise<Map<string, number>> {
    const objects = await this.target.objects(usesFolder(this.deployment));
    const now = objects.find(({ object }) => object === own)?.modifiedAt ?? 0;
    return new Map(
      objects
        .filter(({ object }) => object.startsWith(removalsFolder(this.deployment)))
        .map(({ object, modifiedAt }) => [object, OVER_MS - Math.max(0, now - modifiedAt - ROUNDED_MS)]),
    );
  }

  /** Undefined where it is gone, or somebody else's. */
  async #read(object: string): Promise<BackupUse | undefined> {
    const pieces: Buffer[] = [];
    try {
      for await (const piece of this.target.get(object)) pieces.push(piece);
      return backupUse.parse(JSON.parse(Buffer.concat(pieces).toString('utf8')));
    } catch (error) {
      if (error instanceof RolloutError && error.type !== 'Damaged') throw error;
      return undefined;
    }
  }
}

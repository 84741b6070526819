import { BACKUP_ID } from './backup-manifest.js';

export interface StoredObject {
  object: string;
  bytes: number;
  /** Unix ms. */
  modifiedAt: number;
}

/** An object that was begun and not finished: a multipart upload, or a file that has no name yet. */
export interface Unfinished {
  object: string;
  /** Of the target's own. */
  id: string;
  /** Unix ms. */
  begunAt: number;
}

/** What there is of a backup that is none: it failed, or half of it was removed. */
export interface Leftover {
  backup: string;
  objects: StoredObject[];
  unfinished: Unfinished[];
  bytes: number;
}

/**
 * No attempt at a shard takes longer than a day, and each begins an upload: whatever has shown no sign of life for so long
 * belongs to nobody, ms.
 */
export const LEFT_MS = 25 * 3_600_000;

/** Is it part of one, whatever became of that? */
export const isOfBackup = ({ object }: Pick<StoredObject, 'object'>): boolean =>
  BACKUP_ID.test(object.split('/')[1] ?? '');

/**
 * What failed backups left, the oldest first; and of backups that are whole, what was begun beside them.
 *
 * @param now Unix ms
 */
export function leftoversOf(
  deployment: string,
  { objects, unfinished }: { objects: readonly StoredObject[]; unfinished: readonly Unfinished[] },
  now: number,
): Leftover[] {
  const found = new Map<string, { objects: StoredObject[]; unfinished: Unfinished[]; whole: boolean }>();
  const of = (name: string) => {
    const [first, backup = '', ...rest] = name.split('/');
    if (first !== deployment || rest.length === 0 || !BACKUP_ID.test(backup)) return undefined;
    const known = found.get(backup) ?? { objects: [], unfinished: [], whole: false };
    found.set(backup, known);
    return { known, isManifest: rest.join('/') === 'manifest.json' };
  };
  for (const it of objects) {
    const { known, isManifest } = of(it.object) ?? {};
    known?.objects.push(it);
    if (known && isManifest) known.whole = true;
  }
  for (const it of unfinished) of(it.object)?.known.unfinished.push(it);
  return [...found.entries()]
    .sort(([a], [b]) => a.localeCompare(b, 'en'))
    .flatMap(([backup, it]) => {
      const left = it.whole ? { objects: [], unfinished: it.unfinished } : it;
      const signs = [...left.objects.map((one) => one.modifiedAt), ...left.unfinished.map((one) => one.begunAt)];
      if (signs.length === 0 || Math.max(...signs) > now - LEFT_MS) return [];
      const bytes = left.objects.reduce((sum, one) => sum + one.bytes, 0);
      return [{ backup, objects: left.objects, unfinished: left.unfinished, bytes }];
    });
}

import { createHash } from 'node:crypto';
import type { z } from 'zod';
import { RolloutError } from '../model/failures.js';
import type { BackupTarget } from './backup-target.js';
import { damaged } from './sealed.js';

const JSON_FILE = '.json';

/** With its own hash: a document is not encrypted, and what was changed in it by accident is noticed. */
export async function putDocument(target: BackupTarget, object: string, content: unknown): Promise<void> {
  const text = JSON.stringify({ sha256: sha256(JSON.stringify(content)), content }, null, 2);
  await target.put(object, once(Buffer.from(text)));
}

/** @throws RolloutError Damaged, naming the object; Unreachable, Unauthorized */
export async function getDocument<Schema extends z.ZodType>(
  target: BackupTarget,
  object: string,
  schema: Schema,
): Promise<z.output<Schema>> {
  const pieces: Buffer[] = [];
  for await (const piece of target.get(object)) pieces.push(piece);
  try {
    const document = JSON.parse(Buffer.concat(pieces).toString('utf8')) as { sha256?: unknown; content?: unknown };
    if (document.sha256 === sha256(JSON.stringify(document.content))) return schema.parse(document.content);
  } catch {
    // Said below.
  }
  throw damaged(object, 'it is not as it was written');
}

/** Names of the documents below a prefix, the newest first: they are named as they were begun. @throws as the target */
export async function documentsBelow(target: BackupTarget, prefix: string): Promise<string[]> {
  return (await target.list(prefix)).filter((it) => it.endsWith(JSON_FILE)).reverse();
}

/**
 * The newest documents below a prefix, the newest first; of one that can't be read its name, and why.
 *
 * @param most that are read
 * @throws RolloutError Unreachable, Unauthorized
 */
export async function newestDocuments<Schema extends z.ZodType>(
  target: BackupTarget,
  { prefix, schema, most }: { prefix: string; schema: Schema; most: number },
): Promise<({ document: z.output<Schema> } | { name: string; problem: string })[]> {
  const objects = (await documentsBelow(target, prefix)).slice(0, most);
  return Promise.all(
    objects.map(async (object) => {
      try {
        return { document: await getDocument(target, object, schema) };
      } catch (error) {
        if (!(error instanceof RolloutError) || error.type !== 'Damaged') throw error;
        return { name: object.slice(prefix.length, -JSON_FILE.length), problem: error.message };
      }
    }),
  );
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

// eslint-disable-next-line @typescript-eslint/require-await -- a stream of one piece
async function* once(bytes: Buffer): AsyncGenerator<Buffer, void, void> {
  yield bytes;
}

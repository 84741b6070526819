import { createHash } from 'node:crypto';
import type { z } from 'zod';
import type { BackupTarget } from './backup-target.js';
import { damaged } from './sealed.js';

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

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

// eslint-disable-next-line @typescript-eslint/require-await -- a stream of one piece
async function* once(bytes: Buffer): AsyncGenerator<Buffer, void, void> {
  yield bytes;
}

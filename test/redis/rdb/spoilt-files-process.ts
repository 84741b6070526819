import { readFile } from 'node:fs/promises';
import { RolloutError } from '../../../model/failures.js';
import { checkRdb } from '../../../redis/rdb/check.js';
import { readEntries } from '../../../redis/rdb/entries.js';
import type { RawValue } from '../../../redis/rdb/reader.js';
import type { RdbSummary } from '../../../redis/rdb/tally.js';
import { drawing } from '../rewrite/random-commands.js';
import { fingerprint } from './reassembled.js';
import { sealedAnew, spoilt } from './spoilt.js';

/** What the process is told. */
export interface SpoiltFilesInput {
  /** A whole one. */
  file: string;
  seed: number;
  /** Cases, by the number that draws each. */
  from: number;
  to: number;
}

/** What it tells: the case that it begins with, and at the end what it found. */
export type SpoiltFilesSaid = { begins: number } | SpoiltFilesFound;
export interface SpoiltFilesFound {
  /** Files with a right checksum that were read whole, and refused. */
  read: number;
  refused: number;
  maxRssBytes: number;
}

interface Outcome {
  summary?: RdbSummary;
  content: string;
}

const raw = { upTo: 256 * 1024, may: () => true };

/** To its end, decoded (`by` elements) or given out as it is serialized (`by` raw values), in pieces of some size. */
async function read(bytes: Buffer, size: number, by: 'elements' | 'raw'): Promise<Outcome> {
  const parts: string[] = [];
  const take = ({ key, value, expiresAt }: RawValue): void => {
    parts.push(fingerprint([key, value, expiresAt]));
  };
  try {
    const entries = readEntries(pieces(bytes, size), by === 'raw' ? { raw: { ...raw, take } } : {});
    for (;;) {
      const next = await entries.next();
      if (next.done) return { summary: next.value, content: parts.join() };
      if (next.value.kind !== 'aux') parts.push(fingerprint(next.value));
    }
  } catch (error) {
    return refused(error);
  }
}

async function check(bytes: Buffer): Promise<Outcome> {
  try {
    return { summary: await checkRdb([bytes]), content: '' };
  } catch (error) {
    return refused(error);
  }
}

function refused(error: unknown): Outcome {
  if (!(error instanceof RolloutError) || error.type !== 'BackupFailed' || !/ at byte \d+: /.test(error.message))
    throw error;
  return { content: '' };
}

function* pieces(file: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < file.length; at += size) yield file.subarray(at, at + size);
}

const counts = ({ keys, expires, byType, functions, databases }: RdbSummary): string =>
  JSON.stringify({ keys, expires, byType, functions, databases });

const { file, seed, from, to } = JSON.parse(process.argv[2] ?? '{}') as SpoiltFilesInput;
process.once('disconnect', () => process.exit(2));
const tell = (said: SpoiltFilesSaid): void => void process.send?.(said);

const whole = await readFile(file);
const wholeIs = { elements: await read(whole, whole.length, 'elements'), raw: await read(whole, whole.length, 'raw') };
if (!wholeIs.elements.summary || !wholeIs.raw.summary) throw new Error('the file itself is not read');
const found: SpoiltFilesFound = { read: 0, refused: 0, maxRssBytes: 0 };
for (let n = from; n < to; n++) {
  tell({ begins: n });
  const draw = drawing(seed + 7919 * n);
  const bytes = spoilt(draw, whole);
  const size = [bytes.length + 1, 1 + draw(3000), 65_536][draw(3)] ?? 1;
  const by = draw(2) === 0 ? 'elements' : 'raw';

  // The checksum is as it was: it is the file itself, or it is refused.
  const asItIs = await read(bytes, size, by);
  // Eight zeros in its place would say that there is none.
  if (asItIs.summary?.checksum === 'verified' && asItIs.content !== wholeIs[by].content)
    throw new Error(`case ${n}: another content was read`);

  const [checked, decoded] = [await check(sealedAnew(bytes)), await read(sealedAnew(bytes), size, by)];
  if (decoded.summary && (!checked.summary || counts(decoded.summary) !== counts(checked.summary)))
    throw new Error(`case ${n}: two readings of one file differ`);
  found[decoded.summary ? 'read' : 'refused']++;
}
tell({ ...found, maxRssBytes: process.resourceUsage().maxRSS * 1024 });
process.disconnect();

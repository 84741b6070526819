import { RolloutError } from '../model/failures.js';

const MB = 1024 * 1024;
/** S3 takes 10,000 parts, of 5 MB at least: 15 GB in such ones, then 31 GB and 188 GB more. */
const partBytes = (part: number): number => (part <= 3000 ? 5 : part <= 7000 ? 8 : 64) * MB;
const MOST_PARTS = 10_000;

/**
 * Cuts content into parts and has each put, one being on its way while the next is filled: two buffers, used in turns,
 * are all that is held. Parts are of exactly their size; only the last is shorter, and there is always one.
 *
 * @param put has done with a part's bytes when it resolves
 * @throws RolloutError BackupFailed where it is too large; whatever `content` or `put` throws, once nothing is on its way
 */
export async function putInParts(
  object: string,
  content: AsyncIterable<Buffer>,
  put: (part: { number: number; bytes: Buffer }) => Promise<void>,
): Promise<void> {
  const buffers: Buffer[] = [];
  let number = 1;
  let size = 0;
  let onItsWay: Promise<void> = Promise.resolve();
  const filling = (): Buffer => {
    const known = buffers[number % 2];
    if (known?.length === partBytes(number)) return known;
    return (buffers[number % 2] = Buffer.allocUnsafeSlow(partBytes(number)));
  };
  const send = async (): Promise<void> => {
    if (number > MOST_PARTS)
      throw new RolloutError('BackupFailed', `${object} is larger than S3 takes in ${MOST_PARTS} parts`);
    const part = { number, bytes: filling().subarray(0, size) };
    await onItsWay;
    onItsWay = put(part);
    // Its failure is met where it is waited for, which may be later than it fails.
    onItsWay.catch(() => undefined);
    number++;
    size = 0;
  };
  try {
    for await (const chunk of content)
      for (let from = 0; from < chunk.length;) {
        const copied = chunk.copy(filling(), size, from);
        from += copied;
        size += copied;
        if (size === partBytes(number)) await send();
      }
    if (size > 0 || number === 1) await send();
    await onItsWay;
  } catch (error) {
    await onItsWay.catch(() => undefined);
    throw error;
  }
}

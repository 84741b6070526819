import { RolloutError } from '../../model/failures.js';
import { at, connect } from '../connection.js';
import { entryOf, entryTypes, readCommand, writeCommand, type RunShard } from './entry.js';
import type { ProbeInput } from './input.js';
import { RawClient } from './raw-client.js';
import type { Reply } from './resp.js';

/**
 * Before anything is measured: can a seed be reached with these credentials, and may this user write, read and unlink the
 * probe's keys? One write of each type, in the first shard, unlinked at once.
 *
 * @throws RolloutError Unreachable, Unauthorized, NodeHung, MissingPermission or BadInput
 */
export async function connectAny(
  input: ProbeInput,
  shards: readonly { name: string; tags: string[] }[],
): Promise<void> {
  let failure: Error | undefined = new RolloutError('BadInput', 'The probe was given no seeds');
  for (const seed of input.seeds)
    try {
      (await connect(at(input.endpoint, seed))).close();
      failure = undefined;
      break;
    } catch (error) {
      failure = error as Error;
    }
  if (failure) throw failure;
  const [first] = shards;
  if (first === undefined) throw new RolloutError('BadInput', 'The probe was given no shards');
  const client = new RawClient(input.seeds, input.endpoint);
  try {
    await tryEach(client, { run: 'admission', prefix: input.policy.prefix, shard: first.name, tags: first.tags });
  } finally {
    client.close();
  }
}

async function tryEach(client: RawClient, shard: RunShard): Promise<void> {
  const entries = entryTypes.map((_, seq) => entryOf(shard, 'raw', seq));
  const slot = entries[0]?.slot ?? 0;
  const send = async (words: string[]): Promise<Reply> => {
    try {
      return await client.send(words, slot, performance.now() + 10_000);
    } catch (error) {
      const { message } = error as Error;
      const [type, what] = /^NOPERM/.test(message)
        ? (['MissingPermission', `The user may not run ${words[0]} on ${words[1]}`] as const)
        : (['Unreachable', `The probe's first ${words[0]} on ${words[1]} was not answered`] as const);
      throw new RolloutError(type, `${what}: ${message}`, { cause: error });
    }
  };
  await send(['UNLINK', ...entries.map(({ key }) => key)]);
  try {
    for (const entry of entries) await send(readCommand(entry, await send(writeCommand(entry))));
  } finally {
    await send(['UNLINK', ...entries.map(({ key }) => key)]).catch(() => undefined);
  }
}

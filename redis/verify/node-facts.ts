import { RolloutError } from '../../model/failures.js';
import { atLeast, parseRelease } from '../../model/release.js';
import { connect, type Endpoint } from '../connection.js';
import { parseInfo, releaseFromInfo } from '../info.js';

/** What has to be known of a node before its keys are read. */
export interface NodeFacts {
  release: string;
  runId: string;
  /** Keys by database. */
  databases: Map<number, number>;
  knowsFieldExpiry: boolean;
  hasFieldExpiry: boolean;
}

/** Of all databases. */
export const keysOf = ({ databases }: NodeFacts): number =>
  [...databases.values()].reduce((sum, keys) => sum + keys, 0);

/** That either has keys in, and the first, in order. */
export const databasesOf = (...nodes: readonly NodeFacts[]): number[] =>
  [...new Set([0, ...nodes.flatMap(({ databases }) => [...databases.keys()])])].sort((a, b) => a - b);

/** @throws RolloutError Unreachable, Unauthorized, NodeHung, or MissingPermission where INFO is refused */
export async function factsOf(endpoint: Endpoint): Promise<NodeFacts> {
  await using connection = await connect(endpoint);
  const text = await connection.call('INFO').catch((error: unknown) => {
    if (error instanceof RolloutError || !(error instanceof Error)) throw error;
    throw new RolloutError('MissingPermission', `${connection.address} refused INFO: ${error.message}`, {
      cause: error,
    });
  });
  const info = parseInfo(String(text));
  const release = releaseFromInfo(info);
  const keyspaces = Object.entries(info).flatMap(([field, value]) => {
    const db = /^db(\d+)$/.exec(field);
    return db ? [{ db: Number(db[1]), value }] : [];
  });
  const { flavour, major = 0 } = parseRelease(release) ?? {};
  return {
    release,
    runId: info['run_id'] ?? '',
    databases: new Map(keyspaces.map(({ db, value }) => [db, Number(/keys=(\d+)/.exec(value)?.[1] ?? 0)])),
    knowsFieldExpiry: flavour === 'valkey' ? major >= 9 : atLeast(release, 7, 4),
    // Counted as subexpiry by Redis and as keys_with_volatile_items by Valkey; a version that counts neither may have some.
    hasFieldExpiry: keyspaces.some(({ value }) => !/(subexpiry|keys_with_volatile_items)=0(,|$)/.test(value)),
  };
}

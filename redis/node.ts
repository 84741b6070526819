import { RolloutError } from '../model/failures.js';
import { atLeast } from '../model/release.js';
import { at, connect, type Endpoint, type NodeConnection } from './connection.js';
import { parseInfo } from './info.js';
import { poll } from './roles.js';

/** One directive's running value; undefined where the release doesn't know it. */
export async function getDirective(connection: NodeConnection, directive: string): Promise<string | undefined> {
  const [, value] = (await connection.call('CONFIG', 'GET', directive)) as string[];
  return value;
}

/** CONFIG SET; a refusal names node and directive, never the value. */
export async function setDirective(connection: NodeConnection, directive: string, value: string): Promise<void> {
  try {
    await connection.call('CONFIG', 'SET', directive, value);
  } catch (error) {
    if (error instanceof RolloutError) throw error;
    // The server repeats the value in its refusal.
    const why = /^NOPERM/.test((error as Error).message) ? 'the user may not' : 'the server refused';
    throw new RolloutError('MissingPermission', `${connection.address}: CONFIG SET ${directive}: ${why}`);
  }
}

export async function readInfo(connection: NodeConnection, ...sections: string[]): Promise<Record<string, string>> {
  return parseInfo(String(await connection.call('INFO', ...sections)));
}

/**
 * Has a node write its dataset to disk in the background and waits for it. A BGSAVE that somebody else started is
 * awaited first: its snapshot may be older than the call.
 *
 * @throws RolloutError BackupFailed when the server says that it failed
 */
export async function backgroundSave(
  connection: NodeConnection,
  options: { onProgress?: () => void; signal?: AbortSignal } = {},
): Promise<void> {
  const finished = async (): Promise<Record<string, string>> =>
    poll(
      async () => {
        options.onProgress?.();
        return readInfo(connection, 'persistence');
      },
      (info) => info['rdb_bgsave_in_progress'] === '0' && info['aof_rewrite_in_progress'] === '0',
      { everyMs: 20, withinMs: 24 * 3_600_000, ...(options.signal ? { signal: options.signal } : {}) },
    );
  await finished();
  await connection.call('BGSAVE');
  const info = await finished();
  if (info['rdb_last_bgsave_status'] !== 'ok')
    throw new RolloutError(
      'BackupFailed',
      `${connection.address}: BGSAVE ended with '${info['rdb_last_bgsave_status'] ?? '?'}'; its log says why (often a full disk, or too little memory to fork)`,
    );
}

/**
 * Ends a replica without saving. Refuses a node that is primary or holds slots, right before the command.
 *
 * @throws RolloutError Stopped when the node must be handed over first
 */
export async function shutDownReplica(connection: NodeConnection): Promise<void> {
  const [role] = (await connection.call('ROLE')) as [string];
  if (role !== 'slave')
    throw new RolloutError(
      'Stopped',
      `${connection.address} is primary: a primary is handed over before it is stopped, never just stopped`,
    );
  await connection.call('SHUTDOWN', 'NOSAVE').catch((error: unknown) => {
    // The connection ends without a reply when the server does as it is told.
    if (error instanceof Error && /^(ERR|NOPERM)/.test(error.message))
      throw new RolloutError('MissingPermission', `${connection.address}: SHUTDOWN: ${error.message}`);
  });
}

/**
 * Connects as soon as the node answers at all; LOADING counts as an answer.
 *
 * @param options.onMiss called after each try that failed; what it throws ends the waiting
 */
export async function connectWhenUp(
  endpoint: Endpoint,
  address: string,
  options: { withinMs: number; onMiss?: () => Promise<void>; signal?: AbortSignal },
): Promise<NodeConnection> {
  let last: unknown;
  const connection = await poll(
    async () => {
      try {
        return await connect(at(endpoint, address));
      } catch (error) {
        last = error;
        await options.onMiss?.();
        return undefined;
      }
    },
    (it) => it !== undefined,
    { everyMs: 50, withinMs: options.withinMs, ...(options.signal ? { signal: options.signal } : {}) },
  );
  if (connection) return connection;
  throw last instanceof RolloutError
    ? last
    : new RolloutError('Unreachable', `${address} did not answer within ${options.withinMs} ms`);
}

/** Switches the append-only file on and waits until it holds the whole dataset. */
export async function appendOnlyAgain(
  connection: NodeConnection,
  options: { onProgress?: () => void; signal?: AbortSignal } = {},
): Promise<void> {
  if ((await getDirective(connection, 'appendonly')) !== 'yes') await setDirective(connection, 'appendonly', 'yes');
  const info = await poll(
    async () => {
      options.onProgress?.();
      return readInfo(connection, 'persistence');
    },
    (it) => it['aof_enabled'] === '1' && it['aof_rewrite_in_progress'] === '0' && it['aof_rewrite_scheduled'] === '0',
    { everyMs: 50, withinMs: 24 * 3_600_000, ...(options.signal ? { signal: options.signal } : {}) },
  );
  if (info['aof_last_bgrewrite_status'] !== 'ok')
    throw new RolloutError(
      'BackupFailed',
      `${connection.address}: the append-only file could not be written again (${info['aof_last_bgrewrite_status'] ?? '?'})`,
    );
}

/** `cluster-replica-no-failover`, as the release calls it. */
export const noFailover = 'cluster-replica-no-failover';

/** What a user must be allowed to do, each in a form that the server refuses as nonsense after it has checked the right. */
const needed: readonly (readonly string[])[] = [
  ['PING'],
  ['INFO', 'server'],
  ['ROLE'],
  ['TIME'],
  ['DBSIZE'],
  ['READONLY'],
  ['CONFIG', 'GET', 'maxmemory'],
  ['CONFIG', 'SET', 'redis-rollout-asks', '1'],
  ['CLUSTER', 'NODES'],
  ['CLUSTER', 'FAILOVER', 'redis-rollout-asks'],
  ['CLUSTER', 'REPLICATE', 'redis-rollout-asks'],
  ['CLIENT', 'LIST'],
  ['CLIENT', 'SETNAME', 'redis rollout asks'],
  ['CLIENT', 'KILL', 'ID', 'redis-rollout-asks'],
  ['BGSAVE', 'redis-rollout-asks'],
  ['SHUTDOWN', 'redis-rollout-asks', 'redis-rollout-asks'],
  ['REPLCONF', 'redis-rollout-asks', '1'],
  ['SCAN', '0', 'COUNT', '1'],
  ['RANDOMKEY'],
];
/** For the coordinated takeover. CLIENT UNPAUSE can't be asked for without lifting somebody else's pause. */
const neededForFast: readonly (readonly string[])[] = [['CLIENT', 'PAUSE', 'redis-rollout-asks']];
/** Up to 6.x a script has the primary say an expiry once more; the time that is none is refused before it is set. */
const neededForRepair: readonly (readonly string[])[] = [
  ['EVAL', 'return 1', '0'],
  ['PEXPIREAT', 'redis-rollout-asks', 'redis-rollout-asks'],
];

/** What has no harmless form, for ACL DRYRUN. Keys are the probe's own. */
const neededInEffect = (mode: 'safe' | 'fast', probe: string | undefined): string[][] => {
  const key = `${probe ?? ''}:{redis-rollout-asks}`;
  return [
    ['PSYNC', '?', '-1'],
    ...(mode === 'fast' ? [['CLIENT', 'UNPAUSE']] : []),
    ...(probe === undefined
      ? []
      : [
          ['CLUSTER', 'SLOTS'],
          ['ASKING'],
          ['SET', key, 'v'],
          ['HSET', key, 'f', 'v'],
          ['RPUSH', key, 'v'],
          ['SADD', key, 'v'],
          ['ZADD', key, '1', 'v'],
          ['XADD', key, '*', 'f', 'v'],
          ['INCR', key],
          ['UNLINK', key],
        ]),
  ];
};

export interface Undertaking {
  mode: 'safe' | 'fast';
  /** Will expiries be set right (policy.ttlRepair)? */
  ttlRepair?: boolean;
  /** Prefix of the probe's keys; absent where it is switched off. */
  probe?: string;
  /** Who is asked about; the default user where it is absent. */
  username?: string;
}

/** What the policy is going to need. */
export const undertakingOf = ({
  policy,
  credentials,
}: {
  policy: { handover: 'safe' | 'fast'; ttlRepair: boolean; probe: { enabled: boolean; prefix: string } };
  credentials: { username?: string | undefined };
}): Undertaking => ({
  mode: policy.handover,
  ttlRepair: policy.ttlRepair,
  ...(policy.probe.enabled ? { probe: policy.probe.prefix } : {}),
  ...(credentials.username === undefined ? {} : { username: credentials.username }),
});

/**
 * Commands (or keys, `~prefix:*`) that the connection's user may not use, of those that an upgrade needs. Rights are checked before arguments
 * (processCommand in server.c), so each is asked with an argument that can't be carried out. What has no such form is
 * asked of ACL DRYRUN, from 7.0 on and where the user may do that; else it shows when it is first done: PSYNC in the
 * backup and the probe's commands when it starts, both before any node is touched.
 */
export async function missingPermissions(
  connection: NodeConnection,
  release: string,
  undertaking: Undertaking | 'safe' | 'fast',
): Promise<string[]> {
  if (!atLeast(release, 6, 0)) return [];
  const { mode, ttlRepair, probe, username } =
    typeof undertaking === 'string' ? ({ mode: undertaking } as Undertaking) : undertaking;
  const inEffect = atLeast(release, 7, 0) ? neededInEffect(mode, probe) : [];
  const asked = [
    ...needed,
    ...(mode === 'fast' && atLeast(release, 6, 2) ? neededForFast : []),
    ...(ttlRepair === true && !atLeast(release, 7, 0) ? neededForRepair : []),
    ['ACL', 'LIST'],
  ];
  const dryRuns = inEffect.map((command) => ['ACL', 'DRYRUN', username ?? 'default', ...command]);
  const replies = await connection.pipeline([...asked, ...dryRuns]);
  const refused = asked.filter((_, i) => {
    const reply = replies[i];
    return reply instanceof Error && /^NOPERM/.test(reply.message);
  });
  // DRYRUN answers a refusal as text; an error means that it could not be asked.
  const refusedInEffect = inEffect.flatMap((command, i) => {
    const reply = replies[asked.length + i];
    if (typeof reply !== 'string' || reply === 'OK') return [];
    return [/\bkey/.test(reply) ? `~${probe ?? ''}:*` : permissionOf(command)];
  });
  return [...new Set([...refused.map(permissionOf), ...refusedInEffect])];
}

const containers = ['CONFIG', 'CLUSTER', 'CLIENT', 'ACL'];
const permissionOf = ([command = '', subcommand = '']: readonly string[]): string =>
  containers.includes(command) ? `${command} ${subcommand}` : command;

import { dropsExtensions } from '../model/compatibility/release-lines.js';
import { atLeast } from '../model/release.js';
import type { NodeConnection } from './connection.js';

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
/** For a node that comes back on a release before 7.0 beside newer ones, which have to meet it anew. */
const neededToMeetAnew: readonly (readonly string[])[] = [
  ['CLUSTER', 'FORGET', 'redis-rollout-asks'],
  ['CLUSTER', 'MEET', 'redis-rollout-asks', 'redis-rollout-asks'],
];
/** Up to 6.x a script has the primary say an expiry once more; the time that is none is refused before it is set. */
const neededForRepair: readonly (readonly string[])[] = [
  ['EVAL', 'return 1', '0'],
  ['PEXPIREAT', 'redis-rollout-asks', 'redis-rollout-asks'],
];

/** A key of nobody's. */
const nowhere = 'redis-rollout-asks';
/** For a standby, and to go back to it, in the same harmless forms. */
const neededForStandby: readonly (readonly string[])[] = [
  ['REPLICAOF', nowhere, nowhere],
  ['EVAL', 'return 1', '0'],
  ['EVALSHA', '0'.repeat(40), '0'],
  ['SCRIPT', 'LOAD', 'return 1'],
  ['ASKING'],
  ['EXEC'],
  ...neededToMeetAnew,
  ['CLUSTER', 'SETSLOT', nowhere, nowhere, nowhere],
  ['CLUSTER', 'ADDSLOTS', nowhere],
  ['CLUSTER', 'DELSLOTS', nowhere],
  ['CLUSTER', 'MYID'],
  ['CLUSTER', 'COUNTKEYSINSLOT', '0'],
  ['CLUSTER', 'GETKEYSINSLOT', '0', '0'],
  ['CLIENT', 'PAUSE', nowhere],
  ['DUMP', nowhere],
  // Two words where one at most may be: no release takes that for an order.
  ['FLUSHALL', nowhere, nowhere],
];
/** Some of what clients write and the follower gives to a standby, whose user has to be allowed it: all of @write. */
const neededOfWrites: readonly (readonly string[])[] = [
  ['SETRANGE', nowhere, 'x', 'v'],
  ['EXPIRE', nowhere, 'x'],
  ['INCRBY', nowhere, 'x'],
  ['LREM', nowhere, 'x', 'v'],
  ['HINCRBY', nowhere, 'f', 'x'],
  ['SPOP', nowhere, 'x'],
  ['ZINCRBY', nowhere, 'x', 'v'],
  ['XTRIM', nowhere, 'MAXLEN', 'x'],
  ['BITOP', 'x', nowhere, nowhere],
  ['RESTORE', nowhere, 'x', 'v'],
];

/** For a restore: what comes after its primary has ended can't be asked for then. */
const neededForRestore: readonly (readonly string[])[] = [
  ['EXISTS', nowhere],
  ['DUMP', nowhere],
  ['DBSIZE'],
  ...neededToMeetAnew,
];

/** What has no harmless form, for ACL DRYRUN. Keys are the probe's own. */
const neededInEffect = ({ mode, probe, standby }: Undertaking): string[][] => {
  const key = `${probe ?? ''}:{redis-rollout-asks}`;
  return [
    ['PSYNC', '?', '-1'],
    ...(mode === 'fast' || standby === true ? [['CLIENT', 'UNPAUSE']] : []),
    ...(standby === true ? [['CLUSTER', 'BUMPEPOCH'], ['MULTI']] : []),
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
  /** Is each shard to have a standby (policy.fallback)? */
  standby?: boolean;
  /** May a node come back on a release before 7.0, beside newer ones? */
  meetAnew?: boolean;
  /** Prefix of the probe's keys; absent where it is switched off. */
  probe?: string;
  /** Who is asked about; the default user where it is absent. */
  username?: string;
}

/** What the policy is going to need of nodes that run these releases. */
export const undertakingOf = (
  {
    policy,
    credentials,
  }: {
    policy: {
      handover: 'safe' | 'fast';
      ttlRepair: boolean;
      fallback: 'standby' | 'backup' | 'none';
      probe: { enabled: boolean; prefix: string };
    };
    credentials: { username?: string | undefined };
  },
  releases: readonly string[],
): Undertaking => ({
  mode: policy.handover,
  ttlRepair: policy.ttlRepair,
  standby: policy.fallback === 'standby',
  meetAnew: releases.some(dropsExtensions),
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
  undertaking: Undertaking,
): Promise<string[]> {
  if (!atLeast(release, 6, 0)) return [];
  const { mode, ttlRepair, standby, meetAnew, probe, username } = undertaking;
  const inEffect = atLeast(release, 7, 0) ? neededInEffect(undertaking) : [];
  const asked = [
    ...needed,
    ...(standby === true ? [...neededForStandby, ...neededOfWrites] : []),
    ...(meetAnew === true ? neededToMeetAnew : []),
    ...(mode === 'fast' && atLeast(release, 6, 2) ? neededForFast : []),
    ...(ttlRepair === true && !atLeast(release, 7, 0) ? neededForRepair : []),
    ['ACL', 'LIST'],
  ];
  const dryRuns = inEffect.map((command) => ['ACL', 'DRYRUN', username ?? 'default', ...command]);
  const replies = await connection.pipeline([...asked, ...dryRuns]);
  const refused = asked.flatMap((command, i) => {
    const reply = replies[i];
    if (!isRefused(reply)) return [];
    if (isRefusedKey(reply.message)) return ['~*'];
    return [neededOfWrites.includes(command) ? '@write' : permissionOf(command)];
  });
  // DRYRUN answers a refusal as text; an error means that it could not be asked.
  const refusedInEffect = inEffect.flatMap((command, i) => {
    const reply = replies[asked.length + i];
    if (typeof reply !== 'string' || reply === 'OK') return [];
    return [/\bkey/.test(reply) ? `~${probe ?? ''}:*` : permissionOf(command)];
  });
  return [...new Set([...refused, ...refusedInEffect])];
}

/** A refused EXEC says that its transaction was discarded, and then why. */
const isRefused = (reply: unknown): reply is Error =>
  reply instanceof Error && /^(EXECABORT .*)?NOPERM/.test(reply.message);
const isRefusedKey = (message: string): boolean => /access (a|one of the) keys?\b/.test(message);

/** As missingPermissions, of those that the restore of a shard needs beside them. */
export async function missingForRestore(connection: NodeConnection): Promise<string[]> {
  const replies = await connection.pipeline(neededForRestore);
  return neededForRestore.filter((_, i) => isRefused(replies[i])).map(permissionOf);
}

/**
 * Commands that the server doesn't know, of those that a standby needs: `rename-command` has hidden them. Of any release,
 * since users came with 6.0 and renaming is older.
 */
export async function unknownCommands(connection: NodeConnection, { standby }: Undertaking): Promise<string[]> {
  if (standby !== true) return [];
  const asked = [...neededForStandby, ...neededOfWrites, ['CLIENT', 'KILL', 'ID', nowhere], ['BGSAVE', nowhere]];
  const replies = await connection.pipeline(asked);
  const unknown = asked.filter((_, i) => {
    const reply = replies[i];
    return reply instanceof Error && /unknown command/i.test(reply.message);
  });
  return [...new Set(unknown.map(([name = '']) => name))];
}

const containers = ['CONFIG', 'CLUSTER', 'CLIENT', 'ACL', 'SCRIPT'];
const permissionOf = ([command = '', subcommand = '']: readonly string[]): string =>
  containers.includes(command) ? `${command} ${subcommand}` : command;

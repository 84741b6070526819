import { atLeast } from '../../model/release.js';
import type { NodeConnection } from '../connection.js';

/** A key of nobody's, and a number of none. */
const nowhere = 'redis-rollout-asks';

/**
 * What loading takes, and comparing after it, each in a form that changes nothing: a server looks at the right first, and
 * refuses the rest as nonsense.
 */
const asked: readonly (readonly string[])[] = [
  ['CLIENT', 'SETNAME', 'redis rollout asks'],
  ['CLIENT', 'LIST'],
  ['CLIENT', 'KILL', 'ID', nowhere],
  ['WAIT', nowhere, nowhere],
  ['TIME'],
  ['SCAN', nowhere],
  ['EXISTS', nowhere],
  ['GET', nowhere],
  ['DUMP', nowhere],
  ['MEMORY', 'USAGE', nowhere],
  ...['STRLEN', 'LLEN', 'SCARD', 'HLEN', 'ZCARD', 'XLEN'].map((it) => [it, nowhere]),
  ...['GETRANGE', 'LRANGE', 'ZRANGE'].map((it) => [it, nowhere, '0', '0']),
  ...['SSCAN', 'HSCAN'].map((it) => [it, nowhere, '0']),
  ['XRANGE', nowhere, '-', '+'],
  ['XINFO', 'STREAM', nowhere],
  ['XINFO', 'GROUPS', nowhere],
  ['XPENDING', nowhere, 'g'],
  ['PTTL', nowhere],
  ['SET', nowhere, 'v', 'PX', nowhere],
  ['SETRANGE', nowhere, nowhere, 'v'],
  ['RESTORE', nowhere, nowhere, 'v'],
  ['ZADD', nowhere, nowhere, 'm'],
  ['XADD', nowhere, nowhere, 'f', 'v'],
  ['XGROUP', 'CREATE', nowhere, 'g', nowhere],
  ['XTRIM', nowhere, 'MAXLEN', nowhere],
  ['XSETID', nowhere, nowhere],
  ['PEXPIRE', nowhere, nowhere],
  ['PEXPIREAT', nowhere, nowhere],
  ['PERSIST', nowhere],
  ['UNLINK', nowhere],
  ['RENAME', nowhere, nowhere],
  ['RENAMENX', nowhere, nowhere],
  ['EXEC'],
];
/** What has no such form: asked of ACL DRYRUN, from 7.0 on. */
const inEffect: readonly (readonly string[])[] = [
  ['RPUSH', nowhere, 'v'],
  ['SADD', nowhere, 'v'],
  ['HSET', nowhere, 'f', 'v'],
  ['XDEL', nowhere, '1-1'],
  ['XACK', nowhere, 'g', '1-1'],
  ['XCLAIM', nowhere, 'g', 'c', '0', '1-1'],
  ['MULTI'],
];
const containers = ['CLIENT', 'MEMORY', 'XGROUP', 'XINFO'];

/**
 * Commands that the connection's user may not use of those that a backup is loaded and compared with, `~*` where it may not
 * use every key. What can't be asked before 7.0, or without `acl|dryrun`, shows when it is first done.
 */
export async function missingForLoading(connection: NodeConnection, release: string, user: string): Promise<string[]> {
  if (!atLeast(release, 6, 0)) return [];
  const since7 = atLeast(release, 7, 0);
  const commands = since7 ? [...asked, ['PEXPIRETIME', nowhere]] : asked;
  const dry = since7 ? inEffect : [];
  const replies = await connection.pipeline([...commands, ...dry.map((it) => ['ACL', 'DRYRUN', user, ...it])]);
  const missing = [...commands, ...dry].flatMap((command, i) => {
    const reply = replies[i];
    const said = reply instanceof Error ? reply.message : i < commands.length ? '' : String(reply);
    // DRYRUN answers a refusal as text, and an error means that it could not be asked.
    const isRefused = i < commands.length ? /^(EXECABORT .*)?NOPERM/.test(said) : / has no permissions /.test(said);
    if (!isRefused) return [];
    if (/\bkeys?\b/.test(said)) return ['~*'];
    return [command.slice(0, containers.includes(command[0] ?? '') ? 2 : 1).join(' ')];
  });
  return [...new Set(missing)];
}

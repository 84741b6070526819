import { RolloutError } from '../../model/failures.js';
import type { Endpoint, NodeConnection } from '../connection.js';
import { fieldExpiries, withNames } from './lua.js';
import { EXPIRY_MARGIN_MS, type FollowPoint } from './point.js';

/**
 * What a replica has to do in the very moment in which it becomes its own primary, before a client or its own cron gets a
 * turn: write down how far it came (master_replid2 and the offset before second_repl_offset: replication.c,
 * shiftReplicationId), and put all expiries off by the margin. A script's clock stands still, so no key is lost meanwhile.
 *
 * Scripts up to 6.2 may write after INFO and SCAN only where their effects are replicated; Valkey may drop the call.
 * PEXPIRETIME, from 7.0 on, is exact; before, what is left is read a moment before the server adds it to its clock.
 */
const FREEZE = `
if redis.replicate_commands then pcall(redis.replicate_commands) end
local margin, standby = tonumber(ARGV[1]), ARGV[2]
${fieldExpiries}
local info = redis.call('INFO', 'replication')
if not string.find(info, 'role:master') then return redis.error_reply('it is a replica') end
local replid = string.match(info, 'master_replid2:(%x+)')
local offset = tonumber(string.match(info, 'second_repl_offset:(%-?%d+)'))
if offset < 0 then return redis.error_reply('it has followed nobody') end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'replid', replid, 'offset', string.format('%.0f', offset - 1), 'dirty', '0', 'exact', '', 'standby', standby)
local fields = fieldsExpire()
if fields or string.find(redis.call('INFO', 'keyspace'), 'expires=[1-9]') then
  local exact = type(redis.pcall('PEXPIRETIME', KEYS[1])) == 'number'
  local cursor = '0'
  repeat
    local page = redis.call('SCAN', cursor, 'COUNT', 1000)
    cursor = page[1]
    for _, key in ipairs(page[2]) do
      local left = exact and redis.call('PEXPIRETIME', key) or redis.call('PTTL', key)
      local later = string.format('%.0f', left + margin)
      if left > 0 and exact then redis.call('PEXPIREAT', key, later)
      elseif left > 0 then redis.call('PEXPIRE', key, later) end
      if fields then shiftFields(key, margin, 0) end
    end
  until cursor == '0'
end
return 1
`;

/**
 * Makes a replica that belongs to no cluster its own primary, for good, and writes the point that it reached into its
 * data, all in one. Blocks it for as long as it takes to go through its keys where any expires.
 *
 * @param input.endpoint for renamed commands, which a script must call by their new names
 * @param input.standby the id that it is going to have as a member: whose record it is, since a primary that was once a
 * standby itself has one of its own among its keys
 * @param connection with time enough for that
 */
export async function freeze(
  connection: NodeConnection,
  { endpoint, key, standby }: { endpoint: Pick<Endpoint, 'commands'>; key: string; standby: string },
): Promise<FollowPoint> {
  const replies = await connection.pipeline([
    ['MULTI'],
    ['REPLICAOF', 'NO', 'ONE'],
    ['EVAL', withNames(FREEZE, endpoint.commands), 1, key, EXPIRY_MARGIN_MS, standby],
    ['EXEC'],
  ]);
  const refused = [...replies, ...(Array.isArray(replies[3]) ? (replies[3] as unknown[]) : [])].find(
    (reply) => reply instanceof Error,
  );
  if (refused instanceof RolloutError) throw refused;
  if (refused instanceof Error)
    throw new RolloutError('MissingPermission', `${connection.address} could not be frozen: ${refused.message}`);
  const point = await readPoint(connection, { key, standby });
  if (!point)
    throw new RolloutError('StandbyLost', `${connection.address} was frozen, and ${key} does not say at which offset`);
  return point;
}

/** How far a standby's data is by its own record; undefined where it has none, or only another's. */
export async function readPoint(
  connection: NodeConnection,
  { key, standby }: { key: string; standby: string },
): Promise<FollowPoint | undefined> {
  const fields = await connection.call('HMGET', key, 'replid', 'offset', 'standby');
  const [replid, offset, whose] = fields as (string | null)[];
  if (typeof replid !== 'string' || typeof offset !== 'string' || whose !== standby) return undefined;
  return { replid, offset: Number(offset) };
}

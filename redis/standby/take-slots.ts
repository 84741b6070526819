import type { SlotRange } from '../../model/topology.js';
import type { NodeConnection } from '../connection.js';
import { exactSlots } from './expiries-late.js';

/** The script's answer where expiries are late. */
export const EXPIRIES_LATE = 'expiries are late';

/**
 * Looks, and takes the slots, in one: nobody sees a moment in between, and what comes late, or finds the standby behind,
 * changes nothing. The epoch is raised before the first slot is taken: with one that is below the old owner's, the
 * standby would be told that its slots are the old owner's, become its replica, and empty itself (measured).
 *
 * From 6.2 on SETSLOT tells every node at once when an importing slot becomes the importer's own (cluster.c), so the last
 * slot is taken by it; before, they hear of it with the next ping.
 *
 * With the record goes the follower: a batch that finds no offset is refused, and what the old owner sends from now on is
 * what the standby sent it.
 */
const script = `
if redis.replicate_commands then redis.replicate_commands() end
local time = redis.call('TIME')
local late = time[1] * 1000 + math.floor(time[2] / 1000) - tonumber(ARGV[2])
if late > 0 then return 'late by ' .. late .. ' ms' end
local record = redis.call('HMGET', KEYS[1], 'offset', 'dirty', 'exact', 'exactMs')
if not record[1] then return 'no record of its follower' end
if tonumber(record[1]) < tonumber(ARGV[1]) then return 'at offset ' .. record[1] end
if tonumber(record[2] or '0') > 0 then return record[2] .. ' keys still to be copied' end
if record[3] ~= ARGV[5] or record[4] ~= ARGV[6] then return '${EXPIRIES_LATE}' end
local slots = {}
for i = 7, #ARGV, 2 do for slot = tonumber(ARGV[i]), tonumber(ARGV[i + 1]) do slots[#slots + 1] = slot end end
local function each(command, last)
  for from = 1, last, 4096 do redis.call('CLUSTER', command, unpack(slots, from, math.min(from + 4095, last))) end
end
redis.call('CLUSTER', 'BUMPEPOCH')
each('DELSLOTS', #slots)
if ARGV[4] == 'broadcast' then
  local last = slots[#slots]
  each('ADDSLOTS', #slots - 1)
  redis.call('CLUSTER', 'SETSLOT', last, 'IMPORTING', ARGV[3])
  redis.call('CLUSTER', 'SETSLOT', last, 'NODE', redis.call('CLUSTER', 'MYID'))
else
  each('ADDSLOTS', #slots)
end
redis.call('DEL', KEYS[1])
return 'taken'
`;

export interface TakeInput {
  /** What every expiry of the slots must carry by then, ms: a follower that had to begin anew has put them all off again. */
  marginMs: number;
  /** Key of the follower's record. */
  record: string;
  ranges: readonly SlotRange[];
  /** Id of the node that has them. */
  owner: string;
  /** What the standby must have applied. */
  offset: number;
  /** By the standby's own clock, Unix ms: later than this nothing is done. */
  deadline: number;
  /** Can the standby tell every node at once (6.2 and newer)? */
  broadcast: boolean;
}

/** Loaded beforehand, so that nothing but its name has to travel while writes are held. */
export async function loadTake(standby: NodeConnection): Promise<(input: TakeInput) => Promise<string>> {
  const sha = String(await standby.call('SCRIPT', 'LOAD', script));
  return async ({ record, ranges, marginMs, owner, offset, deadline, broadcast }) => {
    const [, answer] = await standby.pipeline([
      ['ASKING'],
      [
        ...['EVALSHA', sha, 1, record, offset, deadline, owner, broadcast ? 'broadcast' : 'ping'],
        ...[exactSlots(ranges), marginMs],
        ...ranges.flatMap(([from, to]) => [from, to]),
      ],
    ]);
    return answer instanceof Error ? answer.message : String(answer);
  };
}

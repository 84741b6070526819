import { usable, type Side } from './side.js';
import { ErrorReply, type Command } from '../resp.js';

/**
 * Up to 6.x EX and EXPIRE travel as relative times, so that a replica which catches up after an absence gives those keys
 * that much more to live. PEXPIREAT travels as it is: the primary is given its own expiry once more, as a point in time,
 * and every replica hears it. PTTL and TIME are one moment inside a script, and what the script does is replicated as its
 * effects (by default from 5.0 on, asked for where that was switched off).
 */
const SCRIPT = `if redis.replicate_commands then redis.replicate_commands() end
local left = redis.call('PTTL', KEYS[1])
if left <= 0 then return 0 end
local now = redis.call('TIME')
return redis.call('PEXPIREAT', KEYS[1], string.format('%d', now[1] * 1000 + math.floor(now[2] / 1000) + left))`;

/**
 * Has the primary say again when these keys expire. Where the user may not run scripts nothing is changed, and the
 * differences stay differences.
 *
 * @returns how many keys' expiries were said again
 */
export async function repairExpiries(primary: Side, keys: readonly Buffer[]): Promise<number> {
  if (keys.length === 0) return 0;
  const replies = await primary.pipe.send(keys.map((key): Command => ['EVAL', SCRIPT, '1', key]));
  if (replies.some((reply) => reply instanceof ErrorReply && /^NOPERM|unknown command/i.test(reply.message))) return 0;
  return replies.filter((reply) => usable(primary, 'EVAL', reply) === 1).length;
}

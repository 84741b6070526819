import { randomBytes } from 'node:crypto';
import { at, connect } from '../../../redis/connection.js';
import { tagsFor } from '../../../redis/probe/slot.js';
import { readTopology } from '../../../redis/topology.js';
import { until, type Sandbox } from '../../sandbox/cluster.js';
import { infoOf } from '../by-hand.js';

const VALUE_BYTES = 1000;
const FIELDS = 10;
/** Keys that one script writes: a node answers nobody meanwhile. */
const AT_ONCE = 2000;
const TAGS = 16;

/**
 * Four of five keys are strings of 1000 random bytes, which no compression makes smaller, every fifth is a hash of ten
 * fields of 100; every third expires, tomorrow. Written by the server itself, and replicated as it goes.
 */
const SCRIPT = `
if redis.replicate_commands then redis.replicate_commands() end
local from, count, random, expiry, fields = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[4], tonumber(ARGV[5])
for i = from, from + count - 1 do
  local key = KEYS[1] .. i
  if i % 5 == 0 then
    local size = #random / fields
    local hash = {}
    for f = 1, fields do
      hash[#hash + 1] = 'field' .. f
      hash[#hash + 1] = i .. random:sub(1 + (f - 1) * size, f * size - #tostring(i))
    end
    redis.call('HSET', key, unpack(hash))
  else
    redis.call('SET', key, i .. random:sub(1 + #tostring(i)))
  end
  if i % 3 == 0 then redis.call('PEXPIREAT', key, expiry) end
end`;

/** Fills a cluster with so many bytes of values on its primaries, evenly; the number of keys. */
export async function fill(cluster: Sandbox, bytes: number): Promise<number> {
  const seeds = cluster.nodes.map((node) => node.address);
  const { shards } = await readTopology(cluster.endpoint(), seeds);
  const each = Math.ceil(bytes / shards.length / VALUE_BYTES);
  const tomorrow = Date.now() + 86_400_000;
  await Promise.all(
    shards.map(async ({ primary, slots }) => {
      await using connection = await connect(at(cluster.endpoint(), primary.address), { timeoutMs: 60_000 });
      const tags = tagsFor(slots, TAGS);
      for (let n = 0, from = 0; from < each; n++, from += AT_ONCE) {
        const prefix = `bench:{${tags[n % tags.length] ?? ''}}:`;
        const random = randomBytes(VALUE_BYTES);
        await connection.call(
          'EVAL',
          SCRIPT,
          1,
          prefix,
          from,
          Math.min(AT_ONCE, each - from),
          random,
          tomorrow,
          FIELDS,
        );
      }
    }),
  );
  await until(
    'every replica is linked and has it all',
    async () => {
      const infos = await Promise.all(cluster.nodes.map((node) => infoOf(cluster, node)));
      return infos.every(
        (it) =>
          it['role'] === 'master' ||
          (it['master_link_status'] === 'up' && Number(/keys=(\d+)/.exec(it['db0'] ?? '')?.[1]) >= each),
      );
    },
    300_000,
  );
  return each * shards.length;
}

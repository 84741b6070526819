import { z } from 'zod';

/** Shares are measured: what is left over by rounding is no reason to refuse them. */
const ROUNDING = 0.01;
const isWhole = (parts: readonly { share: number }[]): boolean =>
  Math.abs(parts.reduce((sum, { share }) => sum + share, 0) - 1) <= ROUNDING;

const share = z.number().min(0).max(1);

const commandShare = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z][a-z0-9._|-]*$/, 'expected the name of a command as INFO commandstats has it, for example get')
    .describe('As INFO commandstats has it: get, hset.'),
  share: share.describe('Of all commands, 0 to 1.'),
});

const popularity = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('uniform').describe('Every key as often as every other.') }),
  z.strictObject({
    kind: z.literal('zipf').describe('The k-th most popular key is used in proportion to k to the power of -exponent.'),
    exponent: z.number().min(0).max(5).describe('0 is uniform; around 1 a few keys have most of the traffic.'),
  }),
]);

const valueSize = z.strictObject({
  upTo: z.int().min(1).max(67_108_864).describe('Bytes of a whole value: more than the entry before, up to these.'),
  share: share.describe('Of all values, 0 to 1.'),
});

/** What traffic of a deployment looks like: measured by an assessment, and played by our load. */
export const loadShape = z.strictObject({
  commands: z
    .array(commandShare)
    .min(1)
    .refine(isWhole, 'expected shares that make 1 together')
    .describe('The command mix. Commands that the load can’t play are replaced by others of their kind.'),
  readShare: share.describe('Of all commands, those that read only, 0 to 1.'),
  keys: z
    .strictObject({
      pattern: z
        .string()
        .regex(/^[^*]*\*[^*]*$/, 'expected a pattern with one *, in the place of the number, for example cart:*')
        .describe('How keys are called, with * for their number; it decides how long they are.'),
      count: z.int().min(1).describe('How many different keys are used.'),
      popularity: popularity.describe('How often each is.'),
    })
    .describe('Which keys are used.'),
  valueSizes: z
    .array(valueSize)
    .min(1)
    .refine(isWhole, 'expected shares that make 1 together')
    .refine(
      (sizes) => sizes.every(({ upTo }, i) => upTo > (sizes[i - 1]?.upTo ?? 0)),
      'expected sizes in ascending order',
    )
    .describe('How large values are, as a histogram.'),
  ratePerSecond: z.number().positive().describe('Commands a second, of the whole deployment.'),
});

export type LoadShape = z.output<typeof loadShape>;
export type Popularity = LoadShape['keys']['popularity'];

/** The shape to go by where nothing was measured: nine reads to a write, some keys more popular than others. */
export const assumedShape: LoadShape = {
  commands: [
    { name: 'get', share: 0.6 },
    { name: 'hgetall', share: 0.2 },
    { name: 'zrange', share: 0.1 },
    { name: 'set', share: 0.06 },
    { name: 'hset', share: 0.02 },
    { name: 'zadd', share: 0.02 },
  ],
  readShare: 0.9,
  keys: { pattern: 'key:*', count: 10_000, popularity: { kind: 'zipf', exponent: 0.9 } },
  valueSizes: [
    { upTo: 100, share: 0.6 },
    { upTo: 1000, share: 0.35 },
    { upTo: 10_000, share: 0.05 },
  ],
  ratePerSecond: 1000,
};

export const keyTypes = ['string', 'counter', 'hash', 'list', 'set', 'sorted set', 'stream'] as const;
export type KeyType = (typeof keyTypes)[number];

/** Latency is told for each of these: `string read`, `hash write`. */
export type CommandClass = `${KeyType} ${'read' | 'write'}`;

/** What the load can play: commands on one key that no release from 5.0 on lacks. */
export const playable = {
  get: 'string read',
  mget: 'string read',
  strlen: 'string read',
  getrange: 'string read',
  exists: 'string read',
  ttl: 'string read',
  pttl: 'string read',
  type: 'string read',
  set: 'string write',
  setex: 'string write',
  psetex: 'string write',
  getset: 'string write',
  del: 'string write',
  unlink: 'string write',
  expire: 'string write',
  pexpire: 'string write',
  incr: 'counter write',
  incrby: 'counter write',
  decr: 'counter write',
  hget: 'hash read',
  hmget: 'hash read',
  hgetall: 'hash read',
  hexists: 'hash read',
  hlen: 'hash read',
  hset: 'hash write',
  hmset: 'hash write',
  hdel: 'hash write',
  hincrby: 'hash write',
  lrange: 'list read',
  lindex: 'list read',
  llen: 'list read',
  lpush: 'list write',
  rpush: 'list write',
  lpop: 'list write',
  rpop: 'list write',
  smembers: 'set read',
  sismember: 'set read',
  scard: 'set read',
  sadd: 'set write',
  srem: 'set write',
  zrange: 'sorted set read',
  zrangebyscore: 'sorted set read',
  zrevrange: 'sorted set read',
  zscore: 'sorted set read',
  zrank: 'sorted set read',
  zcard: 'sorted set read',
  zadd: 'sorted set write',
  zrem: 'sorted set write',
  zincrby: 'sorted set write',
  xrange: 'stream read',
  xlen: 'stream read',
  xadd: 'stream write',
} as const satisfies Record<string, CommandClass>;

export type PlayableCommand = keyof typeof playable;

export interface Played {
  name: PlayableCommand;
  share: number;
}

const isPlayable = (name: string): name is PlayableCommand => Object.hasOwn(playable, name);
export const isRead = (name: PlayableCommand): boolean => playable[name].endsWith(' read');

/**
 * The mix as it is played. Reads together make `readShare`, whatever could not be played: what replaces it are the others
 * of its kind, in the proportion that they have among themselves, and GET and SET where there are none.
 *
 * @returns `replaced` those that are not played, with their shares, the greatest first
 */
export function mixOf({ commands, readShare }: Pick<LoadShape, 'commands' | 'readShare'>): {
  mix: Played[];
  replaced: { name: string; share: number }[];
} {
  const known = commands.flatMap(({ name, share }) => (isPlayable(name) && share > 0 ? [{ name, share }] : []));
  const part = (reads: boolean, whole: number): Played[] => {
    if (whole === 0) return [];
    const all = known.filter(({ name }) => isRead(name) === reads);
    const sum = all.reduce((total, { share }) => total + share, 0);
    return sum === 0
      ? [{ name: reads ? 'get' : 'set', share: whole }]
      : all.map(({ name, share }) => ({ name, share: (share / sum) * whole }));
  };
  return {
    mix: [...part(true, readShare), ...part(false, 1 - readShare)],
    replaced: commands.filter(({ name, share }) => !isPlayable(name) && share > 0).sort((a, b) => b.share - a.share),
  };
}

/** ms, from the scheduled time. */
export interface LatencySummary {
  mean: number;
  p50: number;
  p90: number;
  p99: number;
  p999: number;
  max: number;
}

/** What a load came to. */
export interface LoadResult {
  /** Scheduled within the measured time: each was acknowledged, or failed. */
  operations: number;
  failed: number;
  /** By kind: `timeout`, `overload`, `OOM`, … */
  failures: Record<string, number>;
  /** Acknowledged, by the second. */
  ratePerSecond: number;
  latency: LatencySummary;
  classes: Partial<Record<CommandClass, { operations: number; failed: number; latency: LatencySummary }>>;
  /** How late the load itself was in sending, ms: where that is much, its machine was measured and not the servers. */
  late: { p99: number; max: number };
  /** What was played otherwise than the shape says. */
  notes: string[];
}

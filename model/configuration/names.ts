import type { Directives } from './directives.js';

/**
 * Names of one directive, oldest first. Sources: the aliases in config.c of the release that brought the newer name:
 * replica for slave 5.0, listpack for ziplist and busy-reply-threshold 7.0, *-cpulist with dashes 7.4; primary and
 * commandlog Valkey 8.0 and 8.1.
 */
const families: readonly (readonly string[])[] = [
  ['slaveof', 'replicaof'],
  ['slave-serve-stale-data', 'replica-serve-stale-data'],
  ['slave-read-only', 'replica-read-only'],
  ['slave-lazy-flush', 'replica-lazy-flush'],
  ['slave-ignore-maxmemory', 'replica-ignore-maxmemory'],
  ['slave-priority', 'replica-priority'],
  ['slave-announce-ip', 'replica-announce-ip'],
  ['slave-announce-port', 'replica-announce-port'],
  ['min-slaves-to-write', 'min-replicas-to-write'],
  ['min-slaves-max-lag', 'min-replicas-max-lag'],
  ['repl-ping-slave-period', 'repl-ping-replica-period'],
  ['cluster-slave-validity-factor', 'cluster-replica-validity-factor'],
  ['cluster-slave-no-failover', 'cluster-replica-no-failover'],
  ['hash-max-ziplist-entries', 'hash-max-listpack-entries'],
  ['hash-max-ziplist-value', 'hash-max-listpack-value'],
  ['zset-max-ziplist-entries', 'zset-max-listpack-entries'],
  ['zset-max-ziplist-value', 'zset-max-listpack-value'],
  ['list-max-ziplist-size', 'list-max-listpack-size'],
  ['lua-time-limit', 'busy-reply-threshold'],
  ['aof_rewrite_cpulist', 'aof-rewrite-cpulist'],
  ['bgsave_cpulist', 'bgsave-cpulist'],
  ['bio_cpulist', 'bio-cpulist'],
  ['server_cpulist', 'server-cpulist'],
  ['masterauth', 'primaryauth'],
  ['masteruser', 'primaryuser'],
  ['slowlog-log-slower-than', 'commandlog-execution-slower-than'],
  ['slowlog-max-len', 'commandlog-slow-execution-max-len'],
];

const familyOf = new Map(families.flatMap((family) => family.map((name) => [name, family] as const)));

/** All names of a directive, oldest first. */
export const namesOf = (directive: string): readonly string[] => familyOf.get(directive) ?? [directive];

/** The name by which one directive is known throughout, whatever a file or release calls it. */
export const oneName = (directive: string): string => namesOf(directive).at(-1) ?? directive;

/** The newest name that a release has for a directive; undefined when it has none. */
export const nameIn = (directives: Directives, directive: string): string | undefined =>
  namesOf(directive).findLast((name) => name in directives);

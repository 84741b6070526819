import { keysIn } from '../keyspace.js';
import type { Instant } from '../operation.js';

/** What one primary has counted since it was started. */
export interface Counters {
  node: string;
  runId: string;
  commands: Record<string, { calls: number; usec: number }>;
  processed: number;
  /** Commands answered with an error; undefined where the release does not count them (before 6.2). */
  errors: number | undefined;
  hits: number;
  misses: number;
  memoryBytes: number;
  /** Of all databases. */
  keys: number;
  cpuSeconds: number;
}

/** What a deployment's primaries did in a while, and what clients saw meanwhile. */
export interface Measurement {
  from: Instant;
  until: Instant;
  ms: number;
  primaries: number;
  operationsPerSecond: number;
  /** Share of commands answered with an error, 0 to 1. */
  errorRate?: number;
  /** Share of lookups that found their key, 0 to 1; absent where there were none. */
  hitRate?: number;
  memoryBytes: number;
  /** Of all databases; absent where an older worker measured. */
  keys?: number;
  /** Processor time of all primaries, as cores. */
  cores: number;
  /** Of all primaries together, but for what only operators and replication send. */
  commands: Record<string, { calls: number; usecPerCall: number }>;
  /** The probe's last ten seconds at its end, ms; absent where it measured nothing. */
  clients?: { p99: number };
  /** What could not be measured, and why. */
  notes: string[];
}

/** Sent by operators, replication and this tool, not by applications. */
const administrative =
  /^(info|ping|config|cluster|client|psync|sync|replconf|replicaof|slaveof|role|command|debug|latency|memory|module|slowlog|acl|auth|hello|select|readonly|readwrite|save|bgsave|bgrewriteaof|lastsave|shutdown|failover|wait|waitaof|time|dbsize|monitor|asking|restore-asking|script|function|quit|reset|scan|dump|keys)(\||$)/;

/** INFO's counters, as `INFO all` tells them: https://redis.io/docs/latest/commands/info/. */
export function countersOf(node: string, info: Readonly<Record<string, string>>): Counters {
  const number = (field: string): number => Number(info[field] ?? 0);
  const commands: Counters['commands'] = {};
  for (const [field, value] of Object.entries(info)) {
    const name = /^cmdstat_(.+)$/.exec(field)?.[1]?.toLowerCase();
    if (name === undefined || administrative.test(name)) continue;
    const { calls = 0, usec = 0 } = Object.fromEntries(
      value.split(',').map((part) => [part.split('=')[0], Number(part.split('=')[1])] as const),
    ) as { calls?: number; usec?: number };
    commands[name] = { calls, usec };
  }
  const errors = info['total_error_replies'];
  return {
    ...{ node, runId: info['run_id'] ?? '', commands, processed: number('total_commands_processed') },
    errors: errors === undefined ? undefined : Number(errors),
    ...{ hits: number('keyspace_hits'), misses: number('keyspace_misses'), memoryBytes: number('used_memory') },
    keys: keysIn(info),
    cpuSeconds: number('used_cpu_user') + number('used_cpu_sys'),
  };
}

/**
 * What was done between two looks.
 *
 * @param times Unix ms
 */
export function measured(
  before: readonly Counters[],
  after: readonly Counters[],
  times: { from: number; until: number },
  clients?: Measurement['clients'],
): Measurement {
  const notes: string[] = [];
  const pairs = after.flatMap((now) => {
    const was = before.find(({ node }) => node === now.node);
    if (was?.runId === now.runId) return [{ was, now }];
    notes.push(`${now.node} was ${was ? 'restarted' : 'not primary yet'} meanwhile: it is not counted`);
    return [];
  });
  const ms = times.until - times.from;
  const sum = (of: (counters: Counters) => number): number =>
    pairs.reduce((total, { was, now }) => total + Math.max(0, of(now) - of(was)), 0);
  const processed = sum((it) => it.processed);
  const uncounted = pairs.filter(({ was, now }) => was.errors === undefined || now.errors === undefined);
  if (uncounted.length > 0) notes.push('error replies are counted by 6.2 and newer only');
  const lookups = sum((it) => it.hits + it.misses);
  const commands: Measurement['commands'] = {};
  for (const name of new Set(pairs.flatMap(({ now }) => Object.keys(now.commands)))) {
    const calls = sum((it) => it.commands[name]?.calls ?? 0);
    if (calls > 0) commands[name] = { calls, usecPerCall: sum((it) => it.commands[name]?.usec ?? 0) / calls };
  }
  if (!clients) notes.push('the probe measured nothing meanwhile');
  return {
    ...{ from: new Date(times.from).toISOString(), until: new Date(times.until).toISOString(), ms },
    ...{ primaries: pairs.length, operationsPerSecond: (processed / ms) * 1000 },
    ...(uncounted.length > 0 || processed === 0 ? {} : { errorRate: sum((it) => it.errors ?? 0) / processed }),
    ...(lookups === 0 ? {} : { hitRate: sum((it) => it.hits) / lookups }),
    memoryBytes: pairs.reduce((total, { now }) => total + now.memoryBytes, 0),
    keys: pairs.reduce((total, { now }) => total + now.keys, 0),
    ...{ cores: (sum((it) => it.cpuSeconds) / ms) * 1000, commands, notes },
    ...(clients ? { clients } : {}),
  };
}

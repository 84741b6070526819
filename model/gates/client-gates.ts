import type { GatePolicy, Policy } from '../policy.js';
import { formatDuration } from '../duration.js';
import { allNodes } from '../topology.js';
import { fail, pass, wait, type Verdict } from '../verdict.js';
import { list } from './cluster-gates.js';
import type { GateObservation, ProbeWindow } from './observation.js';

type ProbePolicy = Pick<Policy, 'gates' | 'probe'>;

/** A window that ended longer ago than this says nothing of now, ms: the window's own length. */
const oldestMs = 10_000;

/** Every shard's window, or why there is nothing to judge. */
function windows(
  { topology, probe }: GateObservation,
  { probe: policy }: ProbePolicy,
): [string, ProbeWindow][] | Verdict {
  if (!policy.enabled) return pass('not measured: the probe is switched off (policy.probe.enabled)');
  const shards = topology.shards.map(({ name }) => name);
  const usable = (it: ProbeWindow | undefined): it is ProbeWindow =>
    it !== undefined && it.operations > 0 && it.ageMs <= oldestMs;
  const silent = shards.filter((name) => !usable(probe[name]));
  if (shards.length === 0 || silent.length > 0)
    return wait(
      `the probe has nothing of the last ten seconds on ${silent.length > 0 ? silent.slice(0, 3).join(', ') : 'any shard'}${silent.length > 3 ? ` and ${silent.length - 3} more` : ''}`,
      'the probe measures again',
    );
  return shards.flatMap((name): [string, ProbeWindow][] => {
    const window = probe[name];
    return window ? [[name, window]] : [];
  });
}

/**
 * Do clients get answers in time, and does every node give them? The probe counts from the scheduled time, so a stall
 * can't hide. It follows the primaries: an upgraded replica that nobody reads from shows only when it is asked itself.
 */
export function latencyGate(observation: GateObservation, policy: ProbePolicy): Verdict {
  const nodes = nodesAnswer(observation, policy);
  const clients = clientsAnswer(observation, policy);
  if (nodes.state !== 'pass' && clients.state !== 'pass')
    return wait(`${nodes.reason}; ${clients.reason}`, `${nodes.clears}; ${clients.clears}`);
  if (nodes.state !== 'pass') return nodes;
  return clients.state === 'pass' ? pass([clients.reason, nodes.reason].join('; ')) : clients;
}

function nodesAnswer({ topology, latencies }: GateObservation, { gates: { maxLatency } }: ProbePolicy): Verdict {
  const nodes = allNodes(topology);
  if (nodes.length === 0) return wait('no node was seen', 'a node answers with its topology');
  const silent = nodes.filter(({ address }) => latencies[address] === undefined).map(({ address }) => address);
  if (silent.length > 0) return wait(`${list(silent)} did not answer PING`, 'every node answers');
  // Written so that a number which is none doesn't pass.
  const slow = nodes.filter(({ address }) => !((latencies[address] ?? 0) <= maxLatency));
  const told = (ms: number): string => formatDuration(Math.ceil(ms));
  if (slow.length === 0) return pass(`every node answers within ${told(Math.max(0, ...Object.values(latencies)))}`);
  const others = nodes.filter((node) => !slow.includes(node)).map(({ address }) => latencies[address] ?? 0);
  return wait(
    `${list(slow.map(({ address, release, role }) => `${role} ${address} (${release}) takes ${told(latencies[address] ?? 0)} to answer PING`))}${others.length > 0 ? `, the others at most ${told(Math.max(...others))}` : ''}`,
    `every node answers within ${formatDuration(maxLatency)} (policy.gates.maxLatency)`,
  );
}

function clientsAnswer(observation: GateObservation, policy: ProbePolicy): Verdict {
  const seen = windows(observation, policy);
  if (!Array.isArray(seen)) return seen;
  const limit = policy.gates.maxLatency;
  // Written so that a number which is none doesn't pass.
  const slow = seen.filter(([, { p99Ms }]) => !(p99Ms <= limit));
  if (slow.length > 0)
    return wait(
      `99th percentile of the last ten seconds: ${slow.map(([shard, { p99Ms }]) => `${formatDuration(p99Ms)} on ${shard}`).join(', ')}`,
      `it is at most ${formatDuration(limit)} on every shard (policy.gates.maxLatency)`,
    );
  return pass(`99th percentile at most ${formatDuration(Math.max(...seen.map(([, { p99Ms }]) => p99Ms)))}`);
}

/** Do clients get answers at all? */
export function errorsGate(observation: GateObservation, policy: ProbePolicy): Verdict {
  const seen = windows(observation, policy);
  if (!Array.isArray(seen)) return seen;
  const limit = policy.gates.maxErrorRate;
  const failing = seen.filter(([, { failed, operations }]) => !(failed / operations <= limit));
  if (failing.length > 0)
    return wait(
      `operations of the last ten seconds that failed: ${failing.map(([shard, { failed, operations }]) => `${failed} of ${operations} on ${shard}`).join(', ')}`,
      `at most ${Math.round(limit * 10_000) / 100} % fail on every shard (policy.gates.maxErrorRate)`,
    );
  return pass(`${seen.reduce((sum, [, { failed }]) => sum + failed, 0)} failed`);
}

type Query = NonNullable<GatePolicy['prometheus']>['queries'][number];

/** One PromQL query against its thresholds; every series has to hold. */
export function queryGate({ prometheus }: GateObservation, { name, query, below, above }: Query): Verdict {
  const wanted = [
    ...(above === undefined ? [] : [`above ${above}`]),
    ...(below === undefined ? [] : [`below ${below}`]),
  ].join(' and ');
  const result = prometheus[name];
  if (!result) return wait(`${query} was not asked yet`, 'Prometheus answers');
  if (!result.ok) return fail(result.error, `Prometheus answers ${query}`);
  if (result.samples.length === 0)
    return wait(`${query} gives no series`, `it gives at least one, and all are ${wanted}`);
  const off = result.samples.filter(
    ({ value }) =>
      // NaN is neither below nor above anything, and so never holds.
      Number.isNaN(value) || (below !== undefined && !(value < below)) || (above !== undefined && !(value > above)),
  );
  if (off.length === 0)
    return pass(`${result.samples.length === 1 ? `${result.samples[0]?.value} is` : 'all are'} ${wanted}`);
  const shown = off.slice(0, 3).map(({ labels, value }) => `${value}${describe(labels)}`);
  return wait(
    `${query} is ${shown.join(', ')}${off.length > 3 ? ` and ${off.length - 3} more` : ''}`,
    `every series is ${wanted}`,
  );
}

function describe(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).filter(([name]) => name !== '__name__');
  return pairs.length === 0 ? '' : ` (${pairs.map(([name, value]) => `${name}=${value}`).join(', ')})`;
}

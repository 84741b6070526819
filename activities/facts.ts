import { setTimeout as sleep } from 'node:timers/promises';
import { eachNode } from '../model/in-parallel.js';
import type { ClientFacts, NodeFacts, PlanFacts } from '../model/planning/facts.js';
import { allNodes, type TopologyView } from '../model/topology.js';
import { readClock } from '../redis/clock.js';
import { getDirective, readInfo } from '../redis/node.js';
import type { NodeConnection } from '../redis/connection.js';
import type { Context } from './context.js';

/** Over how long the write rate is measured at least, ms. */
const MEASURE_MS = 500;

/** What planning wants to know beyond the topology; reads, and changes nothing. */
export async function readFacts(context: Pick<Context, 'connect'>, topology: TopologyView): Promise<PlanFacts> {
  const firsts = await eachNode(allNodes(topology), async ({ address }) => {
    await using connection = await context.connect(address);
    return { address, ...(await factsOf(connection)) };
  });
  const youngest = Math.max(...firsts.map(({ offset }) => offset.at));
  await sleep(Math.max(0, MEASURE_MS - (performance.now() - youngest)));
  const measured = await eachNode(firsts, async ({ address, facts, offset }) => {
    await using connection = await context.connect(address);
    const second = offsetOf(await readInfo(connection, 'replication'));
    return [address, { ...facts, writeBytesPerSecond: rateOf(offset, second) }] as const;
  });
  return { nodes: Object.fromEntries(measured) };
}

/** A node's replication offset, bytes, and when it was so, ms of this process's clock. */
interface Offset {
  bytes: number;
  at: number;
}

const offsetOf = (info: Record<string, string>): Offset => ({
  bytes: Number(info['master_repl_offset']),
  at: performance.now(),
});

/** Bytes a second. */
const rateOf = (first: Offset, second: Offset): number =>
  Math.max(0, (second.bytes - first.bytes) / ((second.at - first.at) / 1000));

async function factsOf(
  connection: NodeConnection,
): Promise<{ facts: Omit<NodeFacts, 'writeBytesPerSecond'>; offset: Offset }> {
  const clock = await readClock(connection);
  const info = await readInfo(connection);
  const offset = offsetOf(info);
  const modules = await connection.call('MODULE', 'LIST').then(moduleNames, () => undefined);
  const facts = {
    clock,
    datasetBytes: Number(info['used_memory_dataset'] ?? info['used_memory'] ?? 0),
    expiringKeys: Number(/expires=(\d+)/.exec(info['db0'] ?? '')?.[1] ?? 0),
    appendOnly: (await getDirective(connection, 'appendonly')) === 'yes',
    savePoints: (await getDirective(connection, 'save')) ?? '',
    announceHostname: (await getDirective(connection, 'cluster-announce-hostname')) ?? '',
    clients: clientsOf(String(await connection.call('CLIENT', 'LIST'))),
    ...(modules === undefined ? {} : { modules }),
  };
  return { facts, offset };
}

/** MODULE LIST: a flat name-value list for each module. */
function moduleNames(reply: unknown): string[] {
  return (reply as unknown[][]).map((fields) => String(fields[fields.indexOf('name') + 1]));
}

function clientsOf(list: string): ClientFacts[] {
  const counted = new Map<string, ClientFacts>();
  for (const line of list.split('\n')) {
    const field = (name: string): string | undefined => new RegExp(`\\b${name}=(\\S*)`).exec(line)?.[1];
    const flags = field('flags');
    // S, M: replicas and primaries; our own connections run CLIENT LIST or INFO at this moment.
    if (flags === undefined || /[SM]/.test(flags) || field('cmd')?.startsWith('client') === true) continue;
    const [library, version] = [field('lib-name'), field('lib-ver')];
    const key = `${library ?? ''} ${version ?? ''}`;
    const known = counted.get(key) ?? {
      count: 0,
      readOnly: 0,
      ...(library ? { library } : {}),
      ...(version ? { version } : {}),
    };
    known.count++;
    if (flags.includes('r')) known.readOnly++;
    counted.set(key, known);
  }
  return [...counted.values()];
}

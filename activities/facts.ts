import { setTimeout as sleep } from 'node:timers/promises';
import { eachNode } from '../model/in-parallel.js';
import type { ClientFacts, NodeFacts, PlanFacts } from '../model/planning/facts.js';
import { allNodes, type TopologyView } from '../model/topology.js';
import { readClock } from '../redis/clock.js';
import { getDirective, readInfo } from '../redis/node.js';
import type { NodeConnection } from '../redis/connection.js';
import type { Context } from './context.js';

/** Over how long the write rate is measured, ms. */
const MEASURE_MS = 1000;

/** What planning wants to know beyond the topology; reads, and changes nothing. */
export async function readFacts(context: Pick<Context, 'connect'>, topology: TopologyView): Promise<PlanFacts> {
  const nodes = await eachNode(allNodes(topology), async ({ address }) => {
    await using connection = await context.connect(address);
    return [address, await factsOf(connection)] as const;
  });
  return { nodes: Object.fromEntries(nodes) };
}

async function factsOf(connection: NodeConnection): Promise<NodeFacts> {
  const clock = await readClock(connection);
  const first = await readInfo(connection);
  const begun = performance.now();
  const [appendOnly, savePoints, announceHostname] = [
    await getDirective(connection, 'appendonly'),
    await getDirective(connection, 'save'),
    await getDirective(connection, 'cluster-announce-hostname'),
  ];
  const clients = clientsOf(String(await connection.call('CLIENT', 'LIST')));
  const modules = await connection.call('MODULE', 'LIST').then(moduleNames, () => undefined);
  await sleep(Math.max(0, MEASURE_MS - (performance.now() - begun)));
  const second = await readInfo(connection, 'replication');
  const seconds = (performance.now() - begun) / 1000;
  const [before, after] = [Number(first['master_repl_offset']), Number(second['master_repl_offset'])];
  return {
    clock,
    writeBytesPerSecond: Math.max(0, (after - before) / seconds),
    datasetBytes: Number(first['used_memory_dataset'] ?? first['used_memory'] ?? 0),
    expiringKeys: Number(/expires=(\d+)/.exec(first['db0'] ?? '')?.[1] ?? 0),
    appendOnly: appendOnly === 'yes',
    savePoints: savePoints ?? '',
    announceHostname: announceHostname ?? '',
    clients,
    ...(modules === undefined ? {} : { modules }),
  };
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

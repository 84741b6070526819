import { setTimeout as sleep } from 'node:timers/promises';
import { eachNode } from '../model/in-parallel.js';
import type { ClientFacts, NodeFacts, PlanFacts } from '../model/planning/facts.js';
import { allNodes, type TopologyView } from '../model/topology.js';
import { readClock } from '../redis/clock.js';
import { datasetBytes } from '../redis/info.js';
import { getDirective, readInfo } from '../redis/node.js';
import type { NodeConnection } from '../redis/connection.js';
import type { Context } from './context.js';

/** Over how long the write rate of a node is measured that was never looked at, ms. */
const MEASURE_MS = 500;
/** Two looks this far apart are a measure, ms. */
const [SHORTEST_MS, LONGEST_MS] = [400, 10 * 60_000];

/** A node's replication offset, bytes, and when it was so, ms of this process's clock. */
interface Offset {
  runId: string;
  bytes: number;
  at: number;
}

/** What this process saw last of each node: with it the next look, at the same shard say, has nothing to wait for. */
const lastSeen = new Map<string, Offset>();

/** What planning wants to know beyond the topology; reads, and changes nothing. */
export async function readFacts(context: Pick<Context, 'connect'>, topology: TopologyView): Promise<PlanFacts> {
  const looks = await eachNode(allNodes(topology), async ({ address }) => {
    await using connection = await context.connect(address);
    const { facts, offset } = await factsOf(connection);
    return { address, facts, offset, rate: rateSince(lastSeen.get(address), offset) };
  });
  const begun = Math.max(...looks.filter(({ rate }) => rate === undefined).map(({ offset }) => offset.at));
  await sleep(Math.max(0, begun + MEASURE_MS - performance.now()));
  const measured = await eachNode(looks, async ({ address, facts, offset, rate }) => {
    if (rate !== undefined) {
      lastSeen.set(address, offset);
      return [address, { ...facts, writeBytesPerSecond: rate }] as const;
    }
    await using connection = await context.connect(address);
    const now = offsetOf(await readInfo(connection));
    lastSeen.set(address, now);
    const measuredRate = rateSince(offset, now);
    return [
      address,
      { ...facts, ...(measuredRate === undefined ? {} : { writeBytesPerSecond: measuredRate }) },
    ] as const;
  });
  return { nodes: Object.fromEntries(measured) };
}

const offsetOf = (info: Record<string, string>): Offset => ({
  runId: info['run_id'] ?? '',
  bytes: Number(info['master_repl_offset']),
  at: performance.now(),
});

/** Bytes a second; undefined where the two are no measure: of two processes, too close, or too far apart. */
function rateSince(first: Offset | undefined, { runId, bytes, at }: Offset): number | undefined {
  if (first?.runId !== runId) return undefined;
  const ms = at - first.at;
  return ms < SHORTEST_MS || ms > LONGEST_MS ? undefined : Math.max(0, (1000 * (bytes - first.bytes)) / ms);
}

async function factsOf(
  connection: NodeConnection,
): Promise<{ facts: Omit<NodeFacts, 'writeBytesPerSecond'>; offset: Offset }> {
  const info = await readInfo(connection);
  const offset = offsetOf(info);
  const facts = {
    datasetBytes: datasetBytes(info),
    expiringKeys: Number(/expires=(\d+)/.exec(info['db0'] ?? '')?.[1] ?? 0),
    ...(await settingsOf(connection)),
    ...(await whereAllowed(readClock(connection), (clock) => ({ clock }))),
    ...(await whereAllowed(connection.call('CLIENT', 'LIST'), (list) => ({ clients: clientsOf(String(list)) }))),
    ...(await whereAllowed(connection.call('MODULE', 'LIST'), (reply) => ({ modules: moduleNames(reply) }))),
  };
  return { facts, offset };
}

const settingsOf = (connection: NodeConnection) =>
  whereAllowed(
    Promise.all(['appendonly', 'save', 'cluster-announce-hostname'].map((it) => getDirective(connection, it))),
    ([appendOnly, savePoints = '', announceHostname = '']) => ({
      ...{ appendOnly: appendOnly === 'yes', savePoints, announceHostname },
    }),
  );

/** Nothing where the user may not ask, or the command is hidden: what was not seen stays undefined. */
async function whereAllowed<Reply, Facts extends Partial<NodeFacts>>(
  asked: Promise<Reply>,
  facts: (reply: Reply) => Facts,
): Promise<Partial<Facts>> {
  try {
    return facts(await asked);
  } catch (error) {
    if (error instanceof Error && /^(NOPERM|ERR unknown command)/i.test(error.message)) return {};
    throw error;
  }
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

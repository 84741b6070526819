/** What one node says of itself and of its links. Offsets are bytes of the replication stream. */
export interface NodeView {
  /** The cluster's 40-digit node id. */
  id: string;
  /** `host:port` as clients reach it. */
  address: string;
  /** The release it runs, `5.0.6` or `valkey-9.1.2`. */
  release: string;
  role: 'primary' | 'replica';
  /** Of a replica: its primary's `host:port`, link and lag. */
  replication?: { primary: string; link: 'up' | 'down'; offset: number; loading: boolean; syncing: boolean };
  /** Replication id and offset as the node itself reports them. */
  replid: string;
  offset: number;
  backlogBytes: number;
  usedMemoryBytes: number;
  maxMemoryBytes: number;
  keys: number;
  /** Process start, as the server counts it. */
  uptimeSeconds: number;
  /** INFO's run_id: changes with each start. */
  runId: string;
}

/** One line of one node's `CLUSTER NODES`. */
export interface PeerView {
  id: string;
  address: string;
  role: 'primary' | 'replica';
  /** Of a replica: its primary's id. */
  primaryId?: string;
  /** `ok`, `pfail`, `fail`, `handshake`, `noaddr`. */
  health: 'ok' | 'pfail' | 'fail' | 'handshake' | 'noaddr';
  linkUp: boolean;
  configEpoch: number;
  slots: SlotRange[];
  /** Slots being migrated or imported, as the server writes them. */
  openSlots: string[];
}

/** Inclusive on both ends, 0–16383. */
export type SlotRange = [number, number];

export interface ShardView {
  /** `shard-1`, … in the order of the first slot. */
  name: string;
  slots: SlotRange[];
  primary: NodeView;
  replicas: NodeView[];
}

/** The cluster as all of its nodes see it, at one moment. */
export interface TopologyView {
  shards: ShardView[];
  /** What keeps this from being a healthy cluster that all nodes agree on; empty when all is well. */
  disagreements: string[];
  /** `cluster-node-timeout`, ms. */
  nodeTimeoutMs: number;
}

export const SLOTS = 16384;

export const allNodes = (topology: { shards: readonly ShardView[] }): NodeView[] =>
  topology.shards.flatMap((shard) => [shard.primary, ...shard.replicas]);

export const slotCount = (ranges: readonly SlotRange[]): number =>
  ranges.reduce((sum, [from, to]) => sum + to - from + 1, 0);

/** Slots of these that are among those; neither has one twice. */
export function overlap(these: readonly SlotRange[], those: readonly SlotRange[]): number {
  let sum = 0;
  for (const [from, to] of these)
    for (const [first, last] of those) sum += Math.max(0, Math.min(to, last) - Math.max(from, first) + 1);
  return sum;
}

/** `0-5460 5462`, as CLUSTER NODES writes it. */
export const formatSlots = (ranges: readonly SlotRange[]): string =>
  ranges.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(' ');

/** `0-5460` or `5462` as a range; undefined for anything else. */
export function parseSlotRange(text: string): SlotRange | undefined {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text.trim());
  if (!match) return undefined;
  const [from, to] = [Number(match[1]), Number(match[2] ?? match[1])];
  return from <= to && to < SLOTS ? [from, to] : undefined;
}

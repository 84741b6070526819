import type { SlotRange } from '../../model/topology.js';
import { RolloutError } from '../../model/failures.js';
import { addressOf, connect, type Endpoint, type NodeConnection } from '../connection.js';
import { textOf } from '../resp.js';
import { replicationStream } from '../replication/stream.js';
import { imports, markImporting } from '../standby/importing.js';
import type { Absent } from './absent.js';
import { Applier } from './applier.js';
import { compareOn, type CompareOptions } from './comparing.js';
import type { Comparison } from './comparison.js';
import { adjustExpiries } from './expiries.js';
import { Flights, type Landed } from './flights.js';
import { Lag } from './lag.js';
import type { NotServed } from './not-served.js';
import { isCopying, readRecord, type FollowRecord } from './record.js';
import { applyScript } from './script.js';
import { StandbyLink } from './standby-link.js';
import type { Losses } from './state.js';
import type { FollowTools } from './tools.js';

export interface SessionInput {
  /** Who is primary now. */
  primary: () => Promise<Endpoint>;
  standby: Endpoint;
  /** The shard's slots; empty for servers outside of a cluster, whose databases are all followed. */
  slots: readonly SlotRange[];
  record: string;
  /** Releases of the primary and of the standby. */
  source: string;
  target: string;
  tools: FollowTools;
  failed: ReadonlyMap<number, string>;
  refusedCopies: Map<string, number>;
  notServed: NotServed;
  losses: Losses;
  /** Goes on while the stream is attached. */
  compare?: CompareOptions & { comparison: Comparison };
  /** Keys (`database:name`) that were left out of a fresh copy. */
  skipped: ReadonlySet<string>;
  absent: Absent;
  timeoutMs: number;
  signal: AbortSignal;
  /** Something happened that is worth telling. */
  onChange: (change: SessionChange) => void;
}

export type SessionChange =
  | { kind: 'attached'; primary: string; replid: string; offset: number; exactSlots: number }
  | { kind: 'detached'; why: string }
  | { kind: 'landed'; landed: Landed; dirty: number; exactSlots: number; lagBytes: number; lagMs: number }
  | { kind: 'looked'; primaryOffset: number; dirty: number; lagBytes: number; lagMs: number };

/** The stream can't go on from where the standby is, or its data may have expired too early. */
export class Gap extends Error {
  constructor(
    message: string,
    /** It was seen by who followed, and can't be read from the record. */
    readonly bySight = false,
  ) {
    super(message);
  }
}

/** For a big value that is dumped, and for a script that takes long. */
const COPY_TIMEOUT_MS = 120_000;
/** Comparing gives way while the standby is further behind, ms. */
const COMPARES_WITHIN_MS = 1000;
/** A fresh copy that nothing was written of for so long has died. */
const COPIES_WITHIN_MS = 3000;

/**
 * Follows until something breaks: reads where the standby is, and goes on from there.
 *
 * @throws Gap, CommandFailed, Elsewhere, RolloutError; the signal's reason when it is aborted
 */
export async function followOnce(input: SessionInput): Promise<void> {
  const { standby, slots, record, tools, timeoutMs, signal } = input;
  const cluster = slots.length > 0;
  await using admin = await connect(standby, { timeoutMs });
  const found = await readServed(admin, input);
  if (!found)
    throw new RolloutError('StandbyLost', `${admin.address} has no record of where it was frozen (${record})`);
  if (isCopying(found)) {
    // To begin another at once would empty the standby under whoever is at it: two followers would do so for ever.
    if (found.at !== undefined && found.now - found.at < COPIES_WITHIN_MS)
      throw new RolloutError('NotCaughtUp', `${admin.address} is being copied to, or was until a moment ago`);
    throw new Gap('a fresh copy was begun and not finished');
  }
  using link = await StandbyLink.open(standby, COPY_TIMEOUT_MS);
  const [sha] = await link.ask(['SCRIPT', 'LOAD', Buffer.from(applyScript(tools.macros, standby.commands))]);
  const databases = cluster ? 1 : await databasesOf(admin);
  const recordKey = Buffer.from(record);
  const flights = new Flights({
    link,
    recordKey,
    sha: textOf(sha),
    step: found.step,
    replid: found.replid,
    asking: cluster,
    refusedCopies: input.refusedCopies,
    notServed: input.notServed,
  });
  let lag: Lag | undefined;
  let reached = found.offset;
  let comparing: AbortController | undefined;
  let opened: Promise<NodeConnection>[] = [];
  const landed = (it: Landed): void => {
    reached = it.batch.to;
    lag?.reached(reached);
    if (it.wantedMs !== undefined) adjustExpiries(applier, it.wantedMs, slots, databases);
    input.onChange({
      kind: 'landed',
      landed: it,
      dirty: applier.dirty.size,
      exactSlots: applier.margins.count,
      lagBytes: lag?.bytes ?? 0,
      lagMs: lag?.ms ?? 0,
    });
  };
  const renamed = standby.commands ?? {};
  const applier = new Applier({ ...input, renamed, flights, record: found, recordKey, cluster, onLanded: landed });
  if (found.at !== undefined && found.now - found.at > applier.margins.leastMs)
    throw new Gap(
      `nothing was applied for ${Math.round((found.now - found.at) / 1000)} s, and keys may have expired meanwhile`,
    );

  const stopped = new AbortController();
  const both = AbortSignal.any([signal, stopped.signal]);
  flights.untilBroken().catch((error: unknown) => stopped.abort(error));
  let endpoint: Endpoint | undefined;
  const holds = (): string | undefined => {
    if (applier.margins.count > 0) return 'expiries are being set right for the cutover';
    if (!lag || lag.ms > COMPARES_WITHIN_MS) return `the standby is ${lag?.ms ?? 0} ms behind`;
    return undefined;
  };
  const compareWith = (primary: Endpoint): void => {
    const { compare, refusedCopies, skipped } = input;
    if (!compare) return;
    comparing = new AbortController();
    void compareOn({
      ...{ ...compare, primary, standby, cluster, recordKey, holds },
      dirty: applier.dirty,
      recopy: (db, key) => applier.recopy(db, key),
      reached: () => reached,
      isRefused: (name) => skipped.has(name) || (refusedCopies.get(name) ?? 0) > 0,
      signal: AbortSignal.any([both, comparing.signal]),
    });
  };
  const forget = (): void => {
    comparing?.abort(new Error('the link has ended'));
    lag?.[Symbol.dispose]();
    for (const connection of opened)
      connection.then(
        (it) => it.close(),
        () => undefined,
      );
    opened = [];
  };
  let looks = 0;
  const looked = (): void => {
    if (!lag) return;
    if (lag.ms > applier.margins.leastMs)
      stopped.abort(new Gap(`the standby is ${lag.ms} ms behind, longer than keys are kept beyond their time`, true));
    // A beat keeps the time of the last batch fresh, and brings what was asked for.
    if (applier.margins.count > 0 || ++looks % 5 === 0) applier.beat();
    applier.startCopies();
    input.onChange({
      kind: 'looked',
      primaryOffset: lag.primaryOffset,
      dirty: applier.dirty.size,
      lagBytes: lag.bytes,
      lagMs: lag.ms,
    });
  };
  try {
    const stream = replicationStream({
      primary: async () => (endpoint = await input.primary()),
      after: { replid: found.replid, offset: found.offset },
      acknowledge: 'none',
      timeoutMs,
      signal: both,
    });
    for await (const event of stream) {
      if (event.kind === 'commands') await applier.take(event.commands);
      else if (event.kind === 'gap') throw new Gap(`${event.address}: ${event.why}`);
      else if (event.kind === 'detached') input.onChange({ kind: 'detached', why: event.why.message });
      else if (endpoint) {
        forget();
        const asked = await connect(endpoint, { timeoutMs });
        const copying = new Map<number, Promise<NodeConnection>>();
        const of = endpoint;
        opened = [Promise.resolve(asked)];
        const selected = (db: number): Promise<NodeConnection> => {
          const known = copying.get(db);
          if (known) return known;
          const connection = connectTo(of, db);
          copying.set(db, connection);
          opened.push(connection);
          return connection;
        };
        if (cluster) await importFrom(asked, admin, slots);
        lag = new Lag(asked, looked);
        lag.reached(event.offset);
        applier.attached(selected, event.replid);
        compareWith(endpoint);
        input.onChange({
          kind: 'attached',
          primary: addressOf(endpoint),
          replid: event.replid,
          offset: event.offset,
          exactSlots: applier.margins.count,
        });
      }
    }
  } catch (error) {
    signal.throwIfAborted();
    // What broke the flights is the reason, and not that the stream was stopped for it.
    throw flights.broken ?? (stopped.signal.aborted ? (stopped.signal.reason as Error) : error);
  } finally {
    stopped.abort(new Error('the session has ended'));
    forget();
  }
}

/** What a standby imports is bound to its owner: to be said again whenever that changes. */
async function importFrom(
  primary: NodeConnection,
  standby: NodeConnection,
  ranges: readonly SlotRange[],
): Promise<void> {
  const owner = String(await primary.call('CLUSTER', 'MYID'));
  if (!(await imports(standby, { ranges, owner }))) await markImporting({ standby, ranges, owner });
}

async function connectTo(endpoint: Endpoint, db: number): Promise<NodeConnection> {
  const connection = await connect(endpoint, { timeoutMs: COPY_TIMEOUT_MS });
  // A cluster has one database only, and may not know the command.
  if (db !== 0) await connection.call('SELECT', db);
  return connection;
}

async function databasesOf(node: NodeConnection): Promise<number> {
  const [, count] = (await node.call('CONFIG', 'GET', 'databases')) as string[];
  return Number(count ?? 16);
}

/**
 * The record, of slots that the standby may have lost sight of: where their owner changed and nobody said so at once, they are
 * bound to none, and not even the record is answered for until they are imported from whoever has them now.
 */
async function readServed(
  standby: NodeConnection,
  { primary, slots, record, timeoutMs }: SessionInput,
): Promise<FollowRecord | undefined> {
  const read = (): Promise<FollowRecord | undefined> => readRecord(standby, { record, cluster: slots.length > 0 });
  try {
    return await read().catch(async (error: unknown) => {
      // Not served by anybody, or by a primary of before that is down and was never unbound: then all is down to it.
      if (!(error instanceof Error) || !/^CLUSTERDOWN\b/.test(error.message)) throw error;
      await using owner = await connect(await primary(), { timeoutMs });
      await importFrom(owner, standby, slots);
      return await read();
    });
  } catch (error) {
    if (error instanceof RolloutError) throw error;
    throw new RolloutError(
      'NotCaughtUp',
      `${standby.address} does not answer for its record: ${(error as Error).message}`,
      { cause: error },
    );
  }
}

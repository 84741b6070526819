import { randomBytes } from 'node:crypto';
import { RolloutError } from '../../model/failures.js';
import type { SlotRange } from '../../model/topology.js';
import { addressOf, connect, type Endpoint } from '../connection.js';
import { attach } from '../replication/client.js';
import { gapAfter, readPosition } from '../replication/position.js';
import { isForScripts } from '../rewrite/rewriter.js';
import { EXPIRY_MARGIN_MS } from '../standby/point.js';
import { Batch, type Piece } from './batch.js';
import { Elsewhere, Flights } from './flights.js';
import { Margins } from './margins.js';
import { NotServed } from './not-served.js';
import { copyingId, isCopying, readRecord, type FollowRecord } from './record.js';
import { withNames } from '../standby/lua.js';
import { cameBackEmpty } from './came-back-empty.js';
import { applyScript } from './script.js';
import { split } from './split.js';
import { StandbyLink } from './standby-link.js';
import type { Losses } from './state.js';
import type { FollowTools } from './tools.js';

export interface FreshCopyInput {
  primary: Endpoint;
  standby: Endpoint;
  slots: readonly SlotRange[];
  record: string;
  source: string;
  target: string;
  tools: FollowTools;
  losses: Losses;
  /** Keys (`database:name`) that are left out. */
  skipped: ReadonlySet<string>;
  /** The gap can't be read from the record: it is copied whatever that says. */
  bySight: boolean;
  timeoutMs: number;
  signal: AbortSignal;
}

/** Empties the standby and says so in the record, in one step. What a cutover waits for stays asked for. */
const EMPTY = `
if redis.replicate_commands then pcall(redis.replicate_commands) end
local kept = redis.call('HMGET', ARGV[1], 'standby', 'step', 'replid', 'wanted')
if (kept[2] or '0') ~= ARGV[3] or kept[3] ~= ARGV[4] then return 0 end
redis.call('FLUSHALL')
local now = redis.call('TIME')
redis.call('HSET', ARGV[1], 'replid', ARGV[2], 'offset', '0', 'step', (tonumber(kept[2] or '0') or 0) + 1, 'db', '0', 'dirty', '0', 'exact', '',
  'at', string.format('%.0f', now[1] * 1000 + math.floor(now[2] / 1000)))
if kept[1] then redis.call('HSET', ARGV[1], 'standby', kept[1]) end
if kept[4] then redis.call('HSET', ARGV[1], 'wanted', kept[4]) end
return 1
`;

const COPY_TIMEOUT_MS = 120_000;

/**
 * Fills the standby anew from a snapshot of the primary, whatever it held, and notes where the stream goes on after it. The
 * primary's backlog must reach over the time that this takes. An attempt that dies leaves a record that says so, and one
 * that is overtaken by another writes nothing more: the record counts its batches as it counts the stream's.
 *
 * @throws CommandFailed with the key's name for a value that the standby refuses; RolloutError StandbyLost where the primary
 *   is empty and the standby isn't: it may hold the only copy that there is; Unreachable, NodeHung, BackupFailed
 */
export async function freshCopy(input: FreshCopyInput): Promise<void> {
  const { primary, standby, slots, record, source, target, tools, losses, skipped, timeoutMs, signal } = input;
  const cluster = slots.length > 0;
  await using admin = await connect(standby, { timeoutMs });
  const before = await readRecord(admin, { record, cluster });
  if (!before) throw new RolloutError('StandbyLost', `${admin.address} has no record of its follower (${record})`);
  // Another follower may have copied everything while this one heard of the gap.
  if (!(await isStillGap(before, input))) return;
  await refuseToEmpty(input, before);
  // Valkey writes for 7.2 where nothing is said, and refuses what that lacks (see handshake.ts).
  const release = source.startsWith('valkey-') ? { release: source.slice('valkey-'.length) } : {};
  await using attachment = await attach({
    ...{ from: primary, snapshotOnly: true, ...release },
    ...{ timeoutMs, silenceMs: COPY_TIMEOUT_MS, signal },
  });
  const { answer, snapshot } = attachment;
  if (!snapshot) throw new RolloutError('BackupFailed', `${addressOf(primary)} was asked for a snapshot and sent none`);
  using link = await StandbyLink.open(standby, COPY_TIMEOUT_MS);
  const id = copyingId(randomBytes(8).toString('hex'));
  const words = [
    Buffer.from(withNames(EMPTY, standby.commands)),
    0,
    Buffer.from(record),
    id,
    before.step,
    before.replid,
  ];
  const empty = ['EVAL', ...words] as const;
  const emptied = await (cluster ? link.ask(['ASKING'], empty) : link.ask(empty));
  if (emptied.at(-1) !== 1) throw new Elsewhere(`${admin.address} is being followed to by another`);
  const [sha] = await link.ask(['SCRIPT', 'LOAD', Buffer.from(applyScript(tools.macros, standby.commands))]);
  const flights = new Flights({
    link,
    recordKey: Buffer.from(record),
    sha: Buffer.isBuffer(sha) ? sha.toString() : '',
    step: before.step + 1,
    replid: id,
    asking: cluster,
    refusedCopies: new Map(),
    notServed: new NotServed(),
  });
  let db = 0;
  const apply = async (commands: Piece[]): Promise<void> => {
    signal.throwIfAborted();
    let batch = new Batch({ replid: id, offset: 0 }, db);
    for (const command of commands) {
      if (!isForScripts(command)) {
        flights.send(batch);
        batch = new Batch({ replid: id, offset: 0 }, db);
        await flights.settled();
        const failure = await flights.byItself(command);
        if (failure !== undefined) losses.add(`functions, which were refused: ${failure}`, []);
      } else if (isSelect(command)) {
        db = Number(command[1]?.toString('latin1'));
        if (!cluster) batch.add([Buffer.from('@select'), ...command.slice(1)], 0, undefined);
      } else
        for (const piece of split(command) ?? [command])
          batch.add(piece, 0, `${db}:${command[1]?.toString('latin1') ?? ''}`);
    }
    flights.send(batch);
    await flights.room();
  };
  const copied = await tools.copyAll({
    chunks: snapshot.chunks,
    apply,
    lanes: 1,
    target,
    marginMs: EXPIRY_MARGIN_MS,
    keep: (key, database) => !skipped.has(`${database}:${key.toString('latin1')}`) && !key.equals(Buffer.from(record)),
    signal,
  });
  for (const [what, { count, examples }] of Object.entries(copied.unrepresentable))
    losses.add(
      what,
      examples.map((it) => Buffer.from(it, 'latin1')),
      count,
    );
  const last = new Batch({ replid: id, offset: 0 }, db);
  last.replid = answer.replid;
  last.to = answer.offset;
  if (db !== 0) last.add([Buffer.from('@select'), Buffer.from('0')], answer.offset, undefined);
  flights.send(last);
  await flights.settled();
}

async function isStillGap(found: FollowRecord, { primary, bySight, timeoutMs }: FreshCopyInput): Promise<boolean> {
  if (bySight || isCopying(found)) return true;
  const { leastMs } = new Margins(found.exact, found.exactMs);
  if (found.at !== undefined && found.now - found.at > leastMs) return true;
  await using connection = await connect(primary, { timeoutMs });
  return gapAfter(found, await readPosition(connection)) !== undefined;
}

async function refuseToEmpty(
  { primary, standby, record, timeoutMs }: FreshCopyInput,
  { replid }: Pick<FollowRecord, 'replid'>,
): Promise<void> {
  await using from = await connect(primary, { timeoutMs });
  await using to = await connect(standby, { timeoutMs });
  const held = await cameBackEmpty(from, to, replid);
  if (held !== undefined)
    throw new RolloutError(
      'StandbyLost',
      `${addressOf(primary)} is empty and ${addressOf(standby)} holds ${held} keys: it is not emptied for that. ` +
        `Restore from it, or remove its ${record} and the standby`,
    );
}

const isSelect = (command: Piece): boolean =>
  command.length === 2 && command[0]?.length === 6 && command[0].toString('latin1').toUpperCase() === 'SELECT';

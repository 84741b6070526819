import { RolloutError } from '../../model/failures.js';
import type { NodeConnection } from '../connection.js';
import { readInfo } from '../node.js';

/** A place in a history of writes: everything up to and with `offset`. */
export interface StreamPoint {
  replid: string;
  offset: number;
}

/** What INFO says of a node's own stream. */
export interface StreamPosition extends StreamPoint {
  role: 'primary' | 'replica';
  /** The history that it took over, up to which offset. */
  before: StreamPoint | undefined;
  /** What its backlog holds: the first byte's offset, and how many. */
  backlog: { first: number; length: number } | undefined;
}

/** @throws RolloutError NotCaughtUp while what it says is not its own yet: it loads its dataset, or has no primary */
export async function readPosition(connection: NodeConnection): Promise<StreamPosition> {
  const loading = (await readInfo(connection, 'persistence'))['loading'] === '1';
  const info = await readInfo(connection, 'replication');
  const orphan = info['role'] === 'slave' && info['master_link_status'] !== 'up';
  if (loading || orphan)
    throw new RolloutError(
      'NotCaughtUp',
      `${connection.address} ${loading ? 'is still loading its own dataset' : 'is a replica without a link to its primary'}`,
    );
  const number = (field: string): number => Number(info[field] ?? NaN);
  const second = number('second_repl_offset');
  return {
    role: info['role'] === 'slave' ? 'replica' : 'primary',
    replid: info['master_replid'] ?? '',
    offset: number('master_repl_offset'),
    before: second >= 0 ? { replid: info['master_replid2'] ?? '', offset: second - 1 } : undefined,
    backlog:
      info['repl_backlog_active'] === '1'
        ? { first: number('repl_backlog_first_byte_offset'), length: number('repl_backlog_histlen') }
        : undefined,
  };
}

/**
 * Why the stream can't go on from a point; undefined where it can. As masterTryPartialResync of replication.c decides:
 * to ask PSYNC instead would have the server fork for a snapshot that nobody wants.
 *
 * `history`: the node's writes are another history, or it has left the common one before this point. `backlog`: what
 * follows is no longer kept.
 */
export function gapAfter(
  { replid, offset }: StreamPoint,
  position: StreamPosition,
): { kind: 'history' | 'backlog'; why: string } | undefined {
  const { before, backlog } = position;
  const continues = replid === position.replid || (replid === before?.replid && offset <= before.offset);
  if (!continues) {
    const past = replid === before?.replid ? `, which it left at ${before.offset}` : '';
    return { kind: 'history', why: `it follows history ${position.replid} and not ${replid}${past}` };
  }
  if (!backlog) return { kind: 'backlog', why: 'it has no backlog: it has had no replica for long, or never' };
  if (offset + 1 < backlog.first)
    return {
      kind: 'backlog',
      why: `its backlog begins at ${backlog.first}, ${backlog.first - offset - 1} bytes too late`,
    };
  // One of its own history that is behind us has lost writes which we have: after a crash, from an older file.
  if (offset + 1 > backlog.first + backlog.length)
    return { kind: 'history', why: `it is at ${position.offset}, before ${offset}` };
  return undefined;
}

import { copyAll } from '../copy/copy-all.js';
import { copyKey } from '../copy/copy-key.js';
import { RolloutError } from '../../model/failures.js';
import { attach } from '../replication/client.js';
import type { StreamPoint } from '../replication/position.js';
import { ErrorReply, type Command } from '../resp.js';
import { macros } from '../rewrite/macros.js';
import { rewriterFor } from '../rewrite/rewriter.js';
import { EXPIRY_MARGIN_MS } from '../standby/point.js';
import { Pipe } from '../verify/pipe.js';
import type { FollowTools, FreshCopy } from './tools.js';

/** Rewriting and copying as a follower uses them. */
export const followTools: FollowTools = {
  rewriterFor,
  macros,
  async copyKey({ primary, key, db, target, marginMs }) {
    // A member of a cluster has one database.
    if (db > 0) await primary.call('SELECT', db);
    return copyKey({ primary, key, target, marginMs });
  },
  copyAll: copyFresh,
};

/** No stream has it: whoever finds it in a record copies everything anew. */
const nowhere: StreamPoint = { replid: '0'.repeat(40), offset: 0 };

/** In one, so that there is a record at any moment: a standby without one has been lost. */
const emptied = `
redis.call('FLUSHALL')
redis.call('HMSET', KEYS[1], 'replid', ARGV[1], 'offset', ARGV[2], 'step', 0, 'db', 0, 'dirty', 0, 'exact', '')`;

const TIMEOUT_MS = 120_000;

/**
 * The primary's snapshot, read by type and written for the older release. It takes a fork of the primary; what it has not
 * sent waits in its output buffer.
 *
 * @throws RolloutError Unreachable, NodeHung, BackupFailed; NotCaughtUp where the standby refuses something
 */
async function copyFresh(input: FreshCopy): Promise<StreamPoint> {
  const { primary, standby, record, cluster, target, onLost, signal } = input;
  using pipe = await Pipe.open(standby, {
    readonly: false,
    noTouch: false,
    asking: cluster,
    timeoutMs: TIMEOUT_MS,
    signal,
  });
  await pipe.ask('EVAL', emptied, 1, record, nowhere.replid, nowhere.offset);
  await using attachment = await attach({ from: primary, release: target, snapshotOnly: true, signal });
  const { snapshot, answer } = attachment;
  if (!snapshot) throw new RolloutError('NotCaughtUp', `${pipe.address}: the primary sent no snapshot`);
  const { unrepresentable } = await copyAll({
    ...{ chunks: snapshot.chunks, target, marginMs: EXPIRY_MARGIN_MS, signal },
    async apply(commands) {
      const replies = await pipe.send(commands.map(asCommand));
      const refused = replies.findIndex((reply) => reply instanceof ErrorReply);
      if (refused < 0) return;
      const { message } = replies[refused] as ErrorReply;
      const [name, key] = commands[refused] ?? [];
      throw new RolloutError(
        'NotCaughtUp',
        `${pipe.address} refused ${String(name)} ${String(key).slice(0, 100)} while everything was copied anew: ${message}`,
      );
    },
  });
  for (const [what, { count, examples }] of Object.entries(unrepresentable))
    onLost(
      what,
      examples.map((it) => Buffer.from(it)),
      count,
    );
  return { replid: answer.replid, offset: answer.offset };
}

const asCommand = ([name, ...args]: Buffer[]): Command => [name?.toString('latin1') ?? '', ...args];

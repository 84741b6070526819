import { macros } from '../../../redis/rewrite/macros.js';
import type { Rewriter } from '../../../redis/rewrite/rewriter.js';
import type { NodeConnection } from '../../../redis/connection.js';

/**
 * Applies lists of commands in one go, as whoever follows a stream does; commands one after the other, counts first. An
 * expiry that finds no key, or none to take away, is a failure: it was propagated because the primary had it.
 */
const script = `${macros}
local at, piece = 1, 0
while at <= #ARGV do
  local size = tonumber(ARGV[at])
  local command = { unpack(ARGV, at + 1, at + size) }
  at = at + 1 + size
  local macro, fine, reply = macros[command[1]], true, nil
  if macro then fine, reply = pcall(macro, command) else reply = redis.pcall(unpack(command)) end
  if type(reply) == 'table' and reply.err then fine, reply = false, reply.err end
  if reply == 0 and (command[1] == 'PEXPIREAT' or command[1] == 'PERSIST') then fine, reply = false, 'it answered 0' end
  if not fine then return { piece, reply } end
  piece = piece + 1
end
return {}`;

/** What became of the commands that a standby was given. */
export interface Outcome {
  kinds: Set<string>;
  /** Keys that would be copied again, or are missing something, of database 0. */
  dirty: Set<string>;
  /** Where it is given, a command that fails makes its keys dirty, as a follower does; else it is an error. */
  failures?: string[];
}

/** Rewrites what a primary propagated and applies it to an older server; transactions in one script. */
export async function applyTo(
  node: NodeConnection,
  rewriter: Rewriter,
  commands: readonly Buffer[][],
  outcome: Outcome = { kinds: new Set(), dirty: new Set() },
): Promise<Outcome> {
  for (let at = 0; at < commands.length;) {
    const batch: { piece: Buffer[]; of: number }[] = [];
    let within = false;
    let end = at;
    for (; end < commands.length && (within || batch.length < 100); end++) {
      const command = commands[end] ?? [];
      const name = nameOf(command);
      if (name === 'MULTI' || name === 'EXEC') within = name === 'MULTI';
      else if (name === 'SELECT' || name === 'FUNCTION') {
        if (batch.length > 0) break;
        // A library that is deleted twice is gone all the same.
        for (const [called, ...args] of name === 'SELECT' ? [command] : becomes(rewriter, command, outcome))
          await node.call(String(called), ...args).catch(() => undefined);
      } else for (const piece of becomes(rewriter, command, outcome)) batch.push({ piece, of: end });
    }
    const [failed, why] = await send(
      node,
      batch.map(({ piece }) => piece),
    );
    if (failed === undefined) {
      at = end;
      continue;
    }
    // What follows it is as if never sent.
    const of = batch[failed]?.of ?? 0;
    fail(rewriter, commands[of] ?? [], why ?? '', outcome);
    at = of + 1;
  }
  return outcome;
}

async function send(node: NodeConnection, pieces: readonly Buffer[][]): Promise<[piece?: number, why?: string]> {
  const argv = pieces.flatMap((it) => [String(it.length), ...it]);
  return argv.length > 0 ? ((await node.call('EVAL', script, 0, ...argv)) as [number?, string?]) : [];
}

function fail(rewriter: Rewriter, command: Buffer[], why: string, outcome: Outcome): void {
  const text = `${command.map((it) => it.toString('latin1').slice(0, 60)).join(' ')}: ${why}`;
  const keys = rewriter.keysOf(command);
  if (!outcome.failures || keys === 'all') throw new Error(text);
  outcome.failures.push(text);
  for (const key of keys.writes) outcome.dirty.add(key.toString('latin1'));
}

function becomes(rewriter: Rewriter, command: Buffer[], outcome: Outcome): Buffer[][] {
  const keys = rewriter.keysOf(command);
  if (keys !== 'all' && outcome.dirty.size > 0) {
    // What touches a dirty key dirties what it writes, and is passed over.
    const touched = [...keys.reads, ...keys.writes].some((key) => outcome.dirty.has(key.toString('latin1')));
    if (touched) {
      for (const key of keys.writes) outcome.dirty.add(key.toString('latin1'));
      return [];
    }
  }
  const became = rewriter.rewrite(command);
  outcome.kinds.add(became.kind === 'rewritten' && became.lost ? 'lossy' : became.kind);
  if (became.kind === 'recopy') for (const key of became.keys) outcome.dirty.add(key.toString('latin1'));
  return became.kind === 'same' ? [command] : became.kind === 'rewritten' ? became.commands : [];
}

const nameOf = (command: readonly Buffer[]): string => String(command[0]).toUpperCase();

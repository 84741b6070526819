import { macros } from '../../../redis/rewrite/macros.js';
import { isForScripts, type Rewriter } from '../../../redis/rewrite/rewriter.js';
import type { NodeConnection } from '../../../redis/connection.js';

/** Applies lists of commands in one go, as whoever follows a stream does; commands one after the other, counts first. */
const script = `${macros}
local at = 1
while at <= #ARGV do
  local size = tonumber(ARGV[at])
  local command = { unpack(ARGV, at + 1, at + size) }
  at = at + 1 + size
  local macro = macros[command[1]]
  if macro then macro(command) else redis.call(unpack(command)) end
end`;

/** What became of the commands that a standby was given. */
export interface Outcome {
  kinds: Set<string>;
  /** Keys that would be copied again, or are missing something, of database 0. */
  dirty: Set<string>;
}

/** Rewrites what a primary propagated and applies it to an older server; transactions in one script. */
export async function applyTo(
  node: NodeConnection,
  rewriter: Rewriter,
  commands: readonly Buffer[][],
  outcome: Outcome = { kinds: new Set(), dirty: new Set() },
): Promise<Outcome> {
  let batch: Buffer[][] = [];
  const flush = async (): Promise<void> => {
    const argv = batch.flatMap((it) => [String(it.length), ...it]);
    batch = [];
    if (argv.length > 0) await node.call('EVAL', script, 0, ...argv);
  };
  let within = false;
  for (const command of commands) {
    const name = String(command[0]).toUpperCase();
    if (name === 'MULTI' || name === 'EXEC') {
      within = name === 'MULTI';
      continue;
    }
    if (name === 'SELECT') {
      await flush();
      await node.call('SELECT', String(command[1]));
      continue;
    }
    const keys = rewriter.keysOf(command);
    if (keys !== 'all' && outcome.dirty.size > 0) {
      // What touches a dirty key dirties what it writes, and is passed over.
      const touched = [...keys.reads, ...keys.writes].some((key) => outcome.dirty.has(key.toString('latin1')));
      if (touched) {
        for (const key of keys.writes) outcome.dirty.add(key.toString('latin1'));
        continue;
      }
    }
    const became = rewriter.rewrite(command);
    outcome.kinds.add(became.kind === 'rewritten' && became.lost ? 'lossy' : became.kind);
    if (became.kind === 'same') batch.push(command);
    else if (became.kind === 'rewritten') batch.push(...became.commands);
    else if (became.kind === 'recopy') for (const key of became.keys) outcome.dirty.add(key.toString('latin1'));
    const alone = batch.filter((it) => !isForScripts(it));
    batch = batch.filter(isForScripts);
    // A library that is deleted twice is gone all the same.
    for (const [called, ...args] of alone) await node.call(String(called), ...args).catch(() => undefined);
    if (!within && batch.length >= 100) await flush();
  }
  await flush();
  return outcome;
}

import { release } from '../../model/release.js';
import { arg, into, nothing, same, word, type Pair, type Rewrite, type Rewritten } from './rewritten.js';
import { loadsPayload, payloadVersion } from './since.js';

/**
 * FUNCTION LOAD, RESTORE, DELETE, FLUSH. What functions do arrives as commands, so only the libraries are concerned. No
 * script may run these, so each is written such that it may be applied twice.
 */
export function functionCommand({ source, target, knows }: Pair): Rewrite {
  const lost = (what: string): Rewritten => ({ kind: 'unrepresentable', keys: [], what });
  const toRedis = release(source).flavour === 'valkey' && release(target).flavour === 'redis';
  return (args) => {
    const action = word(args, 1);
    // A server without functions has none to delete.
    if (!knows('7.0')) return action === 'LOAD' || action === 'RESTORE' ? lost('functions') : nothing;
    if (action === 'LOAD') {
      const library = arg(args, args.length - 1);
      if (toRedis && /\bserver\s*\./.test(library.toString('latin1')))
        return lost('functions that call Valkey’s `server`');
      return into(['FUNCTION', 'LOAD', 'REPLACE', library]);
    }
    if (action === 'RESTORE') {
      const payload = arg(args, 2);
      if (!loadsPayload(target, payloadVersion(payload))) return lost('functions restored from a newer dump');
      return into(['FUNCTION', 'RESTORE', payload, word(args, 3) === 'FLUSH' ? 'FLUSH' : 'REPLACE']);
    }
    return same;
  };
}

/** CLUSTER … in a stream says that slots move: Valkey 8.0 tells its replicas so. A standby's slots are its follower's. */
export const cluster: Rewrite = (args) =>
  word(args, 1) === 'SETSLOT'
    ? nothing
    : { kind: 'unrepresentable', keys: [], what: `slots that move (CLUSTER ${word(args, 1)})` };

/** May a script on the target run it? FUNCTION goes by itself, and does no harm when it is sent again. */
export const isForScripts = (command: readonly Buffer[]): boolean =>
  command[0]?.length !== 8 || word(command, 0) !== 'FUNCTION';

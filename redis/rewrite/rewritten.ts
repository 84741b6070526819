/** What a command of a newer primary becomes for an older server. */
export type Rewritten =
  /** As it is. */
  | { kind: 'same' }
  /** Those in its place, in one go. `lost` is what of it the older server has no place for; the values are right. */
  | { kind: 'rewritten'; commands: Buffer[][]; lost?: { keys: Buffer[]; what: string } }
  /** It changes nothing that is to be kept. */
  | { kind: 'nothing' }
  /** The keys must be copied again: these only, and after this command. Of database `db` where it isn't the selected one. */
  | { kind: 'recopy'; keys: Buffer[]; reason: string; db?: number }
  /** The older server can't hold it, nor anything of it. */
  | { kind: 'unrepresentable'; keys: Buffer[]; what: string };

export type Rewrite = (args: Buffer[]) => Rewritten;

/** What a rewrite needs to know of the two servers. */
export interface Pair {
  source: string;
  target: string;
  /** Does the target know what came with these releases? `6.2`, or `redis 7.4 valkey 9.0` where the two differ. */
  knows: (since: string) => boolean;
  /** By how much later a key's expiry is written, ms. */
  marginMs: (key: Buffer) => number;
}

/** How a command fares, for the table of coverage. */
export type Becomes = 'same' | 'rewritten' | 'recopied' | 'unrepresentable' | 'nothing';

export const same: Rewritten = { kind: 'same' };
export const nothing: Rewritten = { kind: 'nothing' };
export const into = (...commands: (Buffer | string)[][]): Rewritten & { kind: 'rewritten' } => ({
  kind: 'rewritten',
  commands: commands.map((command) => command.map((it) => (typeof it === 'string' ? bufferOf(it) : it))),
});

/** Names of commands and options, a few dozen; numbers are written anew each time. */
const names = new Map<string, Buffer>();

function bufferOf(text: string): Buffer {
  const known = names.get(text);
  if (known) return known;
  const buffer = Buffer.from(text, 'latin1');
  if (/^@?[A-Za-z]/.test(text)) names.set(text, buffer);
  return buffer;
}

const absent = Buffer.alloc(0);
/** The argument at a place, empty where there is none: what a server propagates is complete. */
export const arg = (args: readonly Buffer[], at: number): Buffer => args[at] ?? absent;
/** An option's name, in upper case. */
export const word = (args: readonly Buffer[], at: number): string => arg(args, at).toString('latin1').toUpperCase();

/** What a server says of one of its commands, in COMMAND and, from 7.0 on, COMMAND DOCS. */
export interface CommandFacts {
  /** Words with the command's own name; negative where it is the fewest. */
  arity: number;
  /** Position of the first key among the words; absent where it has none, or where it moves. */
  key?: number;
  /** Of the server's flags those that a client notices, with spaces between: `write denyoom noscript`. */
  flags?: string;
  /** The release that calls it deprecated, `6.2.0`. */
  deprecated?: string;
  /** What the server's documentation names in its place. */
  instead?: string;
}

/** By name in lower case; subcommands, which have rows of their own from 7.0 on, as `config|get`. */
export type CommandTable = Readonly<Record<string, CommandFacts>>;

/** Flags that change what a client may do. Others (`fast`, `loading`, `random`) are the server's own business. */
export const noticedFlags: readonly string[] = ['write', 'readonly', 'denyoom', 'admin', 'noscript', 'module'];

/** The least words that it takes, its own name among them; of COMMAND 5.0 says 0, which is any number. */
export const leastWords = ({ arity }: CommandFacts): number => Math.max(1, Math.abs(arity));

export const hasFlag = ({ flags = '' }: CommandFacts, flag: string): boolean => flags.split(' ').includes(flag);

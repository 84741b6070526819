import { noticedFlags, type CommandFacts, type CommandTable } from '../../model/knowledge/command-table.js';
import type { NodeConnection } from '../connection.js';

/** A row of COMMAND: name, arity, flags, first key, last key, step; from 6.0 on categories, from 7.0 on subcommands at 9. */
type Row = [string, number, string[], number, number, number, ...unknown[]];
const SUBCOMMANDS = 9;

/**
 * Every command of a server.
 *
 * @throws the server's error reply where the user may not run COMMAND
 */
export async function readCommandTable(connection: NodeConnection): Promise<CommandTable> {
  const rows = (await connection.call('COMMAND')) as Row[];
  const table: Record<string, CommandFacts> = {};
  for (const row of rows) addRow(table, row);
  await addDocumentation(connection, table);
  return Object.fromEntries(Object.entries(table).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function addRow(table: Record<string, CommandFacts>, row: Row): void {
  const [name, arity, flags, key] = row;
  const noticed = noticedFlags.filter((flag) => flags.includes(flag)).join(' ');
  table[name.toLowerCase()] = {
    arity,
    ...(key > 0 ? { key } : {}),
    ...(noticed === '' ? {} : { flags: noticed }),
  };
  for (const below of (row[SUBCOMMANDS] ?? []) as Row[]) addRow(table, below);
}

/** What is deprecated is said by COMMAND DOCS, which came with 7.0: an older server is asked in vain. */
async function addDocumentation(connection: NodeConnection, table: Record<string, CommandFacts>): Promise<void> {
  const reply = await connection.call('COMMAND', 'DOCS').catch((error: unknown) => {
    if (error instanceof Error && /^(ERR|NOPERM)/.test(error.message)) return [];
    throw error;
  });
  const visit = (pairs: unknown[]): void => {
    for (const [name, fields] of pairsOf(pairs)) {
      const said = new Map(pairsOf(fields as unknown[]));
      const facts = table[name.toLowerCase()];
      const [deprecated, instead] = [said.get('deprecated_since'), said.get('replaced_by')];
      if (facts && typeof deprecated === 'string') facts.deprecated = deprecated;
      if (facts && typeof deprecated === 'string' && typeof instead === 'string') facts.instead = plain(instead);
      const below = said.get('subcommands');
      if (Array.isArray(below)) visit(below);
    }
  };
  visit(reply as unknown[]);
}

/** RESP2 has a map as a flat list. */
const pairsOf = (flat: readonly unknown[]): [string, unknown][] =>
  Array.from({ length: Math.floor(flat.length / 2) }, (_, i) => [String(flat[2 * i]), flat[2 * i + 1]]);

const plain = (text: string): string => text.replaceAll('`', '');

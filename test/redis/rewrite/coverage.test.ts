/** A command that no one has thought of: each server is asked for its own, and each must be in the table. */
import { expect, test } from 'vitest';
import { findServers } from '../../../platforms/process/servers.js';
import { coverage, isForScripts } from '../../../redis/rewrite/rewriter.js';
import { knowsSince } from '../../../model/compatibility/knows-since.js';
import { table } from '../../../redis/rewrite/table.js';
import { Sandbox } from '../../../scripts/sandbox/cluster.js';
import { readForms } from './read-forms.js';

const releases = [...(await findServers()).keys()];

interface Described {
  name: string;
  flags: string[];
}

/** COMMAND's reply, subcommands too; without those of modules, which a target can't have been told of. */
async function commandsOf(release: string): Promise<Described[]> {
  await using sandbox = await Sandbox.servers(1, { release });
  await using node = await sandbox.connect();
  const found: Described[] = [];
  const walk = (reply: unknown): void => {
    const [name, , flags, , , , , , , subcommands] = reply as [string, number, string[], ...unknown[]];
    found.push({ name: name.toLowerCase(), flags: flags.map(String) });
    for (const it of (subcommands as unknown[] | undefined) ?? []) walk(it);
  };
  for (const it of (await node.call('COMMAND')) as unknown[]) walk(it);
  return found;
}

/** Beside writes: what may travel for another reason (`may_replicate` from 7.0 on), and what makes functions. */
const travels = ({ name, flags }: Described): boolean =>
  flags.includes('write') ||
  flags.includes('may_replicate') ||
  /^(publish|spublish|script|function|eval|evalsha)$/.test(name);

test.each(releases)('%s: every command that it may propagate is in the table', async (release) => {
  const commands = (await commandsOf(release)).filter(travels);
  expect(commands.length).toBeGreaterThan(90);
  // Those that only read are refused a write, so nothing of theirs is propagated.
  const names = commands.map(({ name }) => name.split('|')[0] ?? '').filter((name) => !name.endsWith('_ro'));
  expect(names.filter((name) => !(name in table))).toEqual([]);
});

test.each(releases)('%s: knows exactly what the table says that it does, and scripts may run it', async (release) => {
  const commands = new Map((await commandsOf(release)).map((it) => [it.name, it]));
  const wrong: string[] = [];
  for (const [name, { since }] of Object.entries(table)) {
    if (knowsSince(release, since) !== commands.has(name))
      wrong.push(`${name}: ${commands.has(name) ? 'known' : 'unknown'}`);
    const becomes = coverage(release).get(name);
    const asItself = becomes === 'same' || becomes === 'rewritten';
    const apart = name === 'multi' || name === 'exec' || name === 'select' || !isForScripts([Buffer.from(name)]);
    if (asItself && !apart && commands.get(name)?.flags.includes('noscript')) wrong.push(`${name}: not in scripts`);
  }
  expect(wrong).toEqual([]);
});

test('every command of the table has forms that are run on real servers', async () => {
  const tried = new Set((await readForms()).flatMap((it) => it.when.map(([name]) => String(name).toLowerCase())));
  // Newer than any server at hand, or what servers say to each other.
  const not = ['delex', 'ping', 'replconf', 'select', 'cluster', 'restore-asking', 'migrate', 'evalsha'];
  expect(Object.keys(table).filter((name) => !tried.has(name) && !not.includes(name))).toEqual([]);
});

import redis6_0_16 from './categories/6.0.16.json' with { type: 'json' };
import redis6_2_14 from './categories/6.2.14.json' with { type: 'json' };
import redis7_0_15 from './categories/7.0.15.json' with { type: 'json' };
import redis7_2_4 from './categories/7.2.4.json' with { type: 'json' };
import redis7_4_1 from './categories/7.4.1.json' with { type: 'json' };
import redis8_0_2 from './categories/8.0.2.json' with { type: 'json' };
import redis8_0_6 from './categories/8.0.6.json' with { type: 'json' };
import redis8_2_3 from './categories/8.2.3.json' with { type: 'json' };
import valkey8_1_1 from './categories/valkey-8.1.1.json' with { type: 'json' };
import valkey9_1_2 from './categories/valkey-9.1.2.json' with { type: 'json' };
import { nearestRelease } from './directives.js';

/** The commands of each ACL category by release, as the real servers said (`npm run generate`). */
const recorded: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  '6.0.16': redis6_0_16,
  '6.2.14': redis6_2_14,
  '7.0.15': redis7_0_15,
  '7.2.4': redis7_2_4,
  '7.4.1': redis7_4_1,
  '8.0.2': redis8_0_2,
  '8.0.6': redis8_0_6,
  '8.2.3': redis8_2_3,
  'valkey-8.1.1': valkey8_1_1,
  'valkey-9.1.2': valkey9_1_2,
};

/**
 * What command rules allow under a release, whatever way they are written: servers up to 7.0 print the shortest rules
 * that come to the same, later ones what they were given. Sorted; rules for commands that the release isn't known to
 * have (a module's, or a first argument) stand as they are.
 */
export function allowedCommands(rules: readonly string[], release: string): string[] {
  const categories = categoriesOf(release);
  const all = commandsOf(release);
  const allowed = new Set<string>();
  for (const rule of rules.map((it) => it.toLowerCase())) {
    const what = rule.slice(1);
    const matching =
      what === '@all'
        ? all
        : what.startsWith('@')
          ? (categories[what.slice(1)]?.split(' ') ?? [])
          : [...all].filter((command) => command === what || command.startsWith(`${what}|`));
    if (rule.startsWith('+')) for (const command of matching) allowed.add(command);
    else for (const command of what === '@all' ? [...allowed] : matching) allowed.delete(command);
    if (what !== '@all' && [...matching].length === 0) allowed.add(rule);
    // Commands that come later, with a module: only whoever may everything may them.
    if (what === '@all') allowed[rule.startsWith('+') ? 'add' : 'delete']('+@all');
  }
  return [...allowed].sort();
}

/**
 * Rules to add so that a user may run under `to` what it could under `from`, and nothing more, of all commands that
 * both have. Releases sort commands into other categories (ROLE is @admin from 7.0 on), and 7.0 sorts subcommands each
 * for itself: to 6.2 all of CLIENT is @dangerous, to 7.0 CLIENT ID is not.
 */
export function corrections(rules: readonly string[], from: string, to: string): string[] {
  const [before, after] = [new Set(allowedCommands(rules, from)), new Set(allowedCommands(rules, to))];
  const [known, target] = [commandsOf(from), commandsOf(to)];
  const [knownContainers, containers] = [containersOf(known), containersOf(target)];
  const could = (command: string): boolean | undefined => {
    if (known.has(command) || before.has(`+${command}`)) return before.has(command) || before.has(`+${command}`);
    const container = command.split('|')[0] ?? '';
    return command !== container && known.has(container) && !knownContainers.has(container)
      ? before.has(container)
      : undefined;
  };
  const wrong = (command: string): boolean => could(command) !== undefined && could(command) !== after.has(command);
  const sign = (command: string): string => (could(command) === true ? '+' : '-');
  const added: string[] = [];
  for (const [container, subcommands] of containers) {
    const all = subcommands.every((it) => wrong(it) && sign(it) === sign(subcommands[0] ?? ''));
    added.push(
      ...(all ? [sign(subcommands[0] ?? '') + container] : subcommands.filter(wrong).map((it) => sign(it) + it)),
    );
  }
  const plain = [...target].filter((it) => !it.includes('|') && !containers.has(it) && wrong(it));
  return [...added, ...plain.map((it) => sign(it) + it)].sort();
}

const categoriesOf = (release: string): Readonly<Record<string, string>> =>
  recorded[nearestRelease(release, Object.keys(recorded))] ?? {};

const commandsOf = (release: string): ReadonlySet<string> =>
  new Set(Object.values(categoriesOf(release)).flatMap((commands) => commands.split(' ')));

function containersOf(commands: ReadonlySet<string>): Map<string, string[]> {
  const containers = new Map<string, string[]>();
  for (const command of commands) {
    const [container = '', subcommand] = command.split('|');
    if (subcommand !== undefined) containers.set(container, [...(containers.get(container) ?? []), command]);
  }
  return containers;
}

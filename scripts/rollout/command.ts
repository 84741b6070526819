import { Command, Option } from 'commander';

/** A command of `rollout` with what all of them have: `--json`, and examples below the help. */
export function command(
  name: string,
  { summary, description, examples }: { summary: string; description: string; examples: readonly [string, string][] },
): Command {
  const width = Math.max(...examples.map(([line]) => line.length));
  return new Command(name)
    .summary(summary)
    .description(description)
    .addOption(new Option('--json', 'answer with JSON on standard output (shape: docs/commands.md)'))
    .addHelpText(
      'after',
      `\nExamples:\n${examples.map(([line, what]) => `  ${line.padEnd(width)}  # ${what}`).join('\n')}`,
    );
}

/** Options that several commands share, worded once. */
export const shared = {
  as: () =>
    new Option('--as <name>', 'who you are; goes on record (default: ROLLOUT_AS, else your user name at this host)'),
  via: () =>
    new Option('--via <release>', 'release to go through first, where one step can’t be; may be given several times')
      .default([], 'none')
      .argParser((release: string, before: string[]) => [...before, release]),
};

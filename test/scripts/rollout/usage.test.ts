import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { exitCodes } from '../../../scripts/rollout/exit-codes.js';
import { rolloutProgram } from '../../../scripts/rollout/program.js';
import { rollout } from './stage/cli.js';

const docs = join(import.meta.dirname, '..', '..', '..', 'docs');
const commands = rolloutProgram().commands;

describe('docs/commands.md', async () => {
  const text = await readFile(join(docs, 'commands.md'), 'utf8');
  const sections = new Map(
    text.split(/^## /m).flatMap((section) => {
      const names = (section.split('\n')[0] ?? '').matchAll(/`rollout ([a-z]+)/g);
      return [...names].map(([, name = '']) => [name, section] as const);
    }),
  );

  test('has a section for every command, and for no other', () => {
    expect([...sections.keys()].toSorted()).toEqual(commands.map((command) => command.name()).toSorted());
  });

  test.each(commands.map((command) => [command.name(), command] as const))(
    '%s: every option is explained, and none that is not there',
    (name, command) => {
      const section = sections.get(name) ?? '';
      const mentioned = [...section.matchAll(/^\| `(--[a-z-]+)/gm)].map(([, flag]) => flag);
      const options = [command, ...command.commands].flatMap((it) => it.options);
      for (const { long } of options) if (long !== '--json') expect(mentioned, section).toContain(long);
      const shared = [...sections].filter(([, other]) => other === section).map(([other]) => other);
      const known = commands
        .filter((other) => shared.includes(other.name()))
        .flatMap((other) => [other, ...other.commands].flatMap(longs));
      for (const flag of mentioned) expect(known).toContain(flag);
      expect(section).toContain('--json');
    },
  );
});

test('docs/exit-codes.md has every exit code with its meaning', async () => {
  const text = await readFile(join(docs, 'exit-codes.md'), 'utf8');
  for (const { code, meaning } of Object.values(exitCodes)) expect(text).toContain(`| ${code} | ${meaning} |`);
});

test.each(commands.map((command) => [command.name(), command] as const))(
  'the help of %s shows examples, and each is a command that exists with options that exist',
  (name, command) => {
    let help = '';
    command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
    const examples = help.split('Examples:\n')[1]?.trim().split('\n') ?? [];
    expect(examples.length).toBeGreaterThan(0);
    for (const example of examples) {
      const line = example.split(' # ')[0] ?? '';
      expect(line).toContain(`rollout ${name}`);
      const flags = [...(line.split('|')[0] ?? '').matchAll(/ (--[a-z-]+)/g)].map(([, flag]) => flag);
      const below = command.commands.find((it) => line.trim().startsWith(`rollout ${name} ${it.name()} `));
      for (const flag of flags) expect(longs(below ?? command)).toContain(flag);
    }
  },
);

function longs(command: Command): (string | undefined)[] {
  return command.options.map(({ long }) => long);
}

test.each([
  [['strt'], "rollout: unknown command 'strt'\n  (Did you mean start?)\n  See: rollout --help\n"],
  [['start', 'orders'], "rollout: required option '--to <release>' not specified\n  See: rollout start --help\n"],
  [['approve'], "rollout: missing required argument 'deployment'\n  See: rollout approve --help\n"],
  [
    ['status', 'orders', '--jsn'],
    "rollout: unknown option '--jsn'\n  (Did you mean --json?)\n  See: rollout status --help\n",
  ],
  [
    ['status', 'deployments/orders.yaml'],
    "rollout: 'deployments/orders.yaml' is no name of a deployment: expected lower-case letters, digits and dashes\n  Name the deployment, not its file: rollout status orders\n",
  ],
  [
    ['start', 'orders', '--to', 'latest'],
    'rollout: the upgrade can\'t be started:\n  to: expected a release, for example 8.0, 7.2.4 or valkey-9.1, found "latest"\n  For example: rollout start orders --to 8.0\n',
  ],
])('%j is wrong usage: what and how', async (args, stderr) => {
  expect(await rollout(args)).toEqual({ code: 2, stdout: '', stderr });
});

test('no Temporal: said within seconds, with how to start one; its stack only when asked for', async () => {
  const env = { TEMPORAL_ADDRESS: '127.0.0.1:1' };
  const [plain, json, debug] = await Promise.all([
    rollout(['status', 'orders'], { env }),
    rollout(['status', 'orders', '--json'], { env }),
    rollout(['status', 'orders'], { env: { ...env, ROLLOUT_DEBUG: '1' } }),
  ]);
  expect(plain).toMatchObject({ code: 5, stdout: '' });
  expect(plain.stderr).toContain("rollout: Temporal at 127.0.0.1:1 can't be reached");
  expect(plain.stderr).toContain('temporal server start-dev');
  expect(plain.stderr).not.toMatch(/^\s+at /m);
  expect(JSON.parse(json.stderr)).toMatchObject({ error: { kind: 'unreachable', exitCode: 5 } });
  expect(debug.stderr).toMatch(/^\s+at /m);
});

test('settings of Temporal that make no sense', async () => {
  const { code, stderr } = await rollout(['status', 'orders'], { env: { TEMPORAL_PROFILE: 'nobody' } });
  expect(code).toBe(2);
  expect(stderr).toContain('the Temporal settings');
});

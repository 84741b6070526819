import type { Argument, Command, Option } from 'commander';

/** What a shell has to know of a command. */
export interface CommandWords {
  name: string;
  summary: string;
  options: OptionWords[];
  /** What its first argument is. */
  argument: Value | undefined;
}

export interface OptionWords {
  long: string;
  short?: string;
  description: string;
  /** What follows it; undefined for a switch. */
  value: Value | undefined;
}

export type Value =
  | { kind: 'deployment' }
  /** A deployment, or a file of one. */
  | { kind: 'deployment or file' }
  | { kind: 'file' }
  | { kind: 'words'; words: readonly string[] }
  | { kind: 'text' };

/** The commands as the shells' scripts are made from them: nothing is written twice. */
export function commandWords(program: Command): CommandWords[] {
  return program.commands.map((command) => ({
    name: command.name(),
    summary: command.summary(),
    options: [...command.options.map(optionWords), help],
    argument: argumentValue(command.registeredArguments[0]),
  }));
}

const help: OptionWords = { long: '--help', short: '-h', description: 'how to use it', value: undefined };

function optionWords(option: Option): OptionWords {
  const takesValue = option.required || option.optional;
  return {
    long: option.long ?? option.name(),
    ...(option.short === undefined ? {} : { short: option.short }),
    description: option.description,
    value: takesValue ? valueOf(/<(.+)>/.exec(option.flags)?.[1] ?? '', option.argChoices) : undefined,
  };
}

const argumentValue = (argument: Argument | undefined): Value | undefined =>
  argument && valueOf(argument.name(), argument.argChoices);

function valueOf(name: string, choices: readonly string[] | undefined): Value {
  if (choices) return { kind: 'words', words: choices };
  if (name === 'deployment') return { kind: 'deployment' };
  if (name === 'file|deployment') return { kind: 'deployment or file' };
  return name === 'file' ? { kind: 'file' } : { kind: 'text' };
}

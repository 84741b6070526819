import { Argument, type Command } from 'commander';
import { command } from '../command.js';
import { bashCompletion } from '../completion/bash.js';
import { fishCompletion } from '../completion/fish.js';
import { commandWords } from '../completion/tree.js';
import { zshCompletion } from '../completion/zsh.js';
import { printJson } from '../terminal.js';

const shells = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion } as const;

export function completionCommand(program: Command): Command {
  return command('completion', {
    summary: 'print the completion script of a shell',
    description:
      'Commands, options, and names of deployments (ROLLOUT_DEPLOYMENTS, else ./deployments) on the tab key.',
    examples: [
      ['source <(rollout completion bash)', 'this shell; put it into ~/.bashrc for all'],
      ['source <(rollout completion zsh)', 'after compinit, in ~/.zshrc'],
      ['rollout completion fish > ~/.config/fish/completions/rollout.fish', 'for all'],
    ],
  })
    .addArgument(new Argument('<shell>', 'which shell').choices(Object.keys(shells)))
    .action((shell: keyof typeof shells, { json }: { json?: true }) => {
      const script = shells[shell](commandWords(program));
      if (json) printJson({ shell, script });
      else process.stdout.write(script);
    });
}

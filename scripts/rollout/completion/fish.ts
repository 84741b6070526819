import type { CommandWords, Value } from './tree.js';

/** A completion script for fish 3 and newer. */
export function fishCompletion(commands: readonly CommandWords[]): string {
  return `# fish completion of rollout. Load it with:  rollout completion fish | source
function __rollout_deployments
    set -l folder deployments
    set -q ROLLOUT_DEPLOYMENTS; and set folder $ROLLOUT_DEPLOYMENTS
    for file in $folder/*.yaml
        string replace -r '\\.yaml$' '' (basename $file)
    end
end
complete -c rollout -f
${commands.map(({ name, summary }) => `complete -c rollout -n __fish_use_subcommand -a ${name} -d ${quote(summary)}`).join('\n')}
${commands.flatMap(lines).join('\n')}
`;
}

function lines({ name, options, argument }: CommandWords): string[] {
  const here = `complete -c rollout -n '__fish_seen_subcommand_from ${name}'`;
  return [
    ...(argument === undefined || argument.kind === 'text' ? [] : [`${here} ${values(argument)}`]),
    ...options.map(({ long, short, description, value }) =>
      [
        here,
        ...(short === undefined ? [] : [`-s ${short.slice(1)}`]),
        `-l ${long.slice(2)}`,
        ...(value === undefined ? [] : ['-r', values(value)]),
        `-d ${quote(description)}`,
      ].join(' '),
    ),
  ];
}

function values(value: Value): string {
  switch (value.kind) {
    case 'deployment':
      return `-a '(__rollout_deployments)'`;
    case 'deployment or file':
      return `-F -a '(__rollout_deployments)'`;
    case 'file':
      return '-F';
    case 'words':
      return `-a ${quote(value.words.join(' '))}`;
    case 'text':
      return '';
  }
}

const quote = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

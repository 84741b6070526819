import type { CommandWords, OptionWords, Value } from './tree.js';

/** A completion script for zsh: sourced after `compinit`, or put as \`_rollout\` into a folder of \`fpath\`. */
export function zshCompletion(commands: readonly CommandWords[]): string {
  return `#compdef rollout
# zsh completion of rollout. Load it with:  source <(rollout completion zsh)
_rollout_deployments() {
  local -a names
  names=(\${ROLLOUT_DEPLOYMENTS:-deployments}/*.yaml(N:t:r))
  compadd -a names
}
_rollout_deployments_or_files() {
  _rollout_deployments
  _files
}
_rollout() {
  local -a commands
  commands=(
${commands.map(({ name, summary }) => `    ${quote(`${name}:${summary}`)}`).join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local name=$words[2]
  shift words
  (( CURRENT-- ))
  case $name in
${commands.map(branch).join('\n')}
  esac
}
if [ "$funcstack[1]" = "_rollout" ]; then _rollout "$@"; else compdef _rollout rollout; fi
`;
}

function branch({ name, options, argument }: CommandWords): string {
  const specs = [
    ...options.flatMap(optionSpecs),
    ...(argument === undefined ? [] : [quote(`1:${argument.kind}:${action(argument)}`)]),
  ];
  return `    ${name}) _arguments ${specs.map((spec) => `\\\n      ${spec}`).join(' ')} ;;`;
}

function optionSpecs({ long, short, description, value }: OptionWords): string[] {
  const text = description.replaceAll(/[[\]:]/g, ' ');
  const follows = value === undefined ? '' : `:value:${action(value)}`;
  return [long, ...(short === undefined ? [] : [short])].map((flag) => quote(`${flag}[${text}]${follows}`));
}

function action(value: Value): string {
  switch (value.kind) {
    case 'deployment':
      return '_rollout_deployments';
    case 'deployment or file':
      return '_rollout_deployments_or_files';
    case 'file':
      return '_files';
    case 'words':
      return `(${value.words.join(' ')})`;
    case 'text':
      return ' ';
  }
}

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

import type { CommandWords, Value } from './tree.js';

/** A completion script for bash 3.2 and newer; it needs no bash-completion package. */
export function bashCompletion(commands: readonly CommandWords[]): string {
  return `# bash completion of rollout. Load it with:  source <(rollout completion bash)
_rollout_deployments() {
  local file
  for file in "\${ROLLOUT_DEPLOYMENTS:-deployments}"/*.yaml; do
    [ -e "$file" ] || continue
    file=\${file##*/}
    printf '%s\\n' "\${file%.yaml}"
  done
}
_rollout() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]}
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${[...commands.map(({ name }) => name), '--help', '--version'].join(' ')}" -- "$cur"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${commands.map(branch).join('\n')}
  esac
}
complete -F _rollout rollout
`;
}

function branch({ name, options, argument }: CommandWords): string {
  const valued = options.filter(({ value }) => value !== undefined);
  const words = options.flatMap(({ long, short }) => (short === undefined ? [long] : [long, short]));
  return [
    `    ${name})`,
    ...(valued.length === 0
      ? []
      : [
          '      case "$prev" in',
          ...valued.map(
            ({ long, short, value }) =>
              `        ${short === undefined ? long : `${long}|${short}`}) ${generate(value)}return ;;`,
          ),
          '      esac',
        ]),
    '      case "$cur" in',
    `        -*) COMPREPLY=($(compgen -W "${words.join(' ')}" -- "$cur")) ;;`,
    ...(argument === undefined ? [] : [`        *) ${generate(argument)};;`]),
    '      esac',
    '      ;;',
  ].join('\n');
}

function generate(value: Value | undefined): string {
  const deployments = '$(compgen -W "$(_rollout_deployments)" -- "$cur")';
  // Slashes go on completing, and blanks are quoted, only where bash knows that these are file names.
  const files = 'compopt -o filenames 2>/dev/null; ';
  switch (value?.kind) {
    case 'deployment':
      return `COMPREPLY=(${deployments}); `;
    case 'deployment or file':
      return `${files}COMPREPLY=(${deployments} $(compgen -f -- "$cur")); `;
    case 'file':
      return `${files}COMPREPLY=($(compgen -f -- "$cur")); `;
    case 'words':
      return `COMPREPLY=($(compgen -W "${value.words.join(' ')}" -- "$cur")); `;
    default:
      return '';
  }
}

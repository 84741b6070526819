/** Directives whose value is a secret or, as the new name of a command, is kept like one. */
const secretDirectives = new Set([
  'requirepass',
  'masterauth',
  'primaryauth',
  'tls-key-file-pass',
  'tls-client-key-file-pass',
  'rename-command',
  'user',
]);

export const isSecret = (directive: string): boolean => secretDirectives.has(directive.toLowerCase());

/** Stands for a secret wherever something leaves the node: reports, histories, messages. */
export const redacted = '(redacted)';

/** A value as it may be shown: whether a secret is set is no secret. */
export function redact(directive: string, value: string): string {
  return isSecret(directive) && value !== '' ? redacted : value;
}

/** An ACL rule without its passwords and password hashes. */
export const redactAcl = (rule: string): string => rule.replace(/(^|\s)([<>#!])\S+/g, `$1$2${redacted}`);

/**
 * Log lines as they may be shown. A server that refuses its configuration quotes the offending line, and a refused
 * ACL rule, in full; `configuration` adds its own secrets, wherever they turn up.
 */
export function redactLog(log: string, configuration = ''): string {
  const directives = [...secretDirectives].filter((it) => it !== 'user').join('|');
  let text = log
    .replace(new RegExp(`(\\b(?:${directives})\\b["']?\\s+)\\S.*`, 'gi'), `$1${redacted}`)
    .replace(/^((?:>>> ')?\s*user\s+\S+\s).*/gim, `$1${redacted}`)
    // A password whose > was forgotten is quoted as a rule that nobody knows.
    .replace(/((?:ACL rule|user declaration) ')(?![-+~&@%(])[^']*'/gi, `$1${redacted}'`)
    .replace(/(^|\s)([>#])[^\s>#]{4,}(?=\s|$|')/gm, (all: string, space: string, sign: string) =>
      /^#{2,}|^>>/.test(all.trim()) ? all : `${space}${sign}${redacted}`,
    );
  for (const secret of secretsIn(configuration)) text = text.replaceAll(secret, redacted);
  return text;
}

function secretsIn(configuration: string): string[] {
  const found: string[] = [];
  for (const line of configuration.split('\n')) {
    const [, directive = '', value = ''] = /^\s*(\S+)\s+(.*?)\s*$/.exec(line) ?? [];
    if (directive.toLowerCase() === 'user')
      found.push(...[...value.matchAll(/(?:^|\s)>(\S+)/g)].map((match) => match[1] ?? ''));
    else if (isSecret(directive))
      found.push(
        value
          .replace(/^(["'])(.*)\1$/, '$2')
          .split(/\s+/)
          .at(-1) ?? '',
      );
  }
  // A secret of two letters would black out the whole log and hides nothing.
  return found.filter((secret) => secret.length >= 4);
}

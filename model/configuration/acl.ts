import { atLeast } from '../release.js';
import { allowedCommands, corrections } from './commands.js';
import { formatDirective } from './syntax.js';

/** One `user …` line of ACL LIST: name and rules in order. */
export interface AclUser {
  name: string;
  rules: string[];
}

/** Reads a line of ACL LIST or of an ACL file, which know no quotes; selectors in parentheses stay whole. */
export function parseUser(line: string): AclUser | undefined {
  const [word, name, ...rest] = line.split(' ').filter(Boolean);
  if (word?.toLowerCase() !== 'user' || name === undefined) return undefined;
  const rules: string[] = [];
  for (const rule of rest)
    if (rules.at(-1)?.startsWith('(') === true && rules.at(-1)?.endsWith(')') !== true)
      rules.push(`${rules.pop() ?? ''} ${rule}`);
    else rules.push(rule);
  return { name, rules };
}

/** As an ACL file has it: quotes would be read as part of the rule. */
export const formatAclFileUser = ({ name, rules }: AclUser): string => ['user', name, ...rules].join(' ');

/** As redis.conf has it. */
export const formatUser = ({ name, rules }: AclUser): string =>
  formatDirective('user', [name, ...rules.flatMap((rule) => (rule.startsWith('(') ? rule.split(' ') : [rule]))]);

/** Commands that ACL rules of older releases may name and 7.0 no longer has: it refuses to start on them. */
const goneIn7 = /^[-+](stralgo|host:|post)(\||$)/i;

/**
 * A user's rules for a newer release, meaning the same. Before 6.2 there were no channel rules and everybody could use
 * every channel; 6.2 still assumes so, 7.0 assumes none (acl-pubsub-default), so it is written out. So are commands
 * that the release has moved to another category.
 */
export function convertUser(
  user: AclUser,
  from: string,
  to: string,
): { user: AclUser; dropped: string[]; added: string[] } {
  const dropped = atLeast(to, 7, 0) ? user.rules.filter((rule) => goneIn7.test(rule)) : [];
  const rules = user.rules.filter((rule) => !dropped.includes(rule));
  const channels = rules.some((rule) => rule.startsWith('&') || /^(all|reset)channels$/i.test(rule));
  if (!atLeast(from, 6, 2) && atLeast(to, 6, 2) && !channels) {
    const at = rules.findIndex((rule) => /^[-+(]/.test(rule));
    rules.splice(at < 0 ? rules.length : at, 0, '&*');
  }
  const commands = rules.filter((rule) => /^[-+]/.test(rule));
  const added = from === to || !atLeast(from, 6, 0) ? [] : corrections(commands, from, to);
  return { user: { ...user, rules: [...rules, ...added] }, dropped, added };
}

const synonyms: Readonly<Record<string, string>> = {
  allkeys: '~*',
  allchannels: '&*',
  allcommands: '+@all',
  nocommands: '-@all',
};

/** What a new user has anyway; releases differ in which of these they print. */
const implied = new Set(['sanitize-payload', 'resetchannels', 'resetkeys', 'resetpass', 'clearselectors']);

/** One form for rules that mean the same to a release: flags, passwords, keys and channels in any order. */
export function normalRules(rules: readonly string[], release: string): string {
  const plain = rules.map((rule) =>
    rule.startsWith('(')
      ? `(${normalRules(rule.slice(1, -1).split(' '), release)})`
      : (synonyms[rule.toLowerCase()] ?? rule),
  );
  const isCommand = (rule: string): boolean => /^[-+]/.test(rule);
  const others = plain.filter((rule) => !isCommand(rule) && !implied.has(rule.toLowerCase()));
  return [...others.sort(), ...allowedCommands(plain.filter(isCommand), release)].join(' ');
}

import { atLeast, nameRelease } from '../release.js';
import { convertUser, formatAclFileUser, formatUser, normalRules, parseUser } from './acl.js';
import type { ConfigurationLine } from './syntax.js';

/**
 * The users of a node for its new configuration: as `user` lines, or as the text of its ACL file where it has one,
 * since a server refuses to start with both. All that are in memory are written, saved before or not.
 */
export function carryUsers({
  lines,
  running,
  acl,
  from,
  to,
}: {
  lines: readonly ConfigurationLine[];
  running: ReadonlyMap<string, string>;
  acl: readonly string[];
  from: string;
  to: string;
}): { lines: string[]; aclFile?: string; notes: string[] } {
  if (acl.length === 0 || !atLeast(to, 6, 0)) return { lines: [], notes: [] };
  const notes: string[] = [];
  const users = acl.flatMap((line) => {
    const before = parseUser(line);
    if (!before) return [];
    const { user, dropped, added } = convertUser(before, from, to);
    if (dropped.length > 0)
      notes.push(`user ${user.name}: ${dropped.join(' ')} left out, ${nameRelease(to)} has no such command`);
    if (added.length > 0)
      notes.push(
        `user ${user.name}: ${added.join(' ')} added, ${nameRelease(to)} has these commands in other categories`,
      );
    return [user];
  });
  const aclFile = running.get('aclfile') ?? '';
  if (aclFile !== '') {
    notes.push(`the ACL file ${aclFile} is written with the users that are in memory now, saved or not`);
    return { lines: [], aclFile: `${users.map(formatAclFileUser).join('\n')}\n`, notes };
  }
  const [only] = users;
  const untouched =
    users.length === 1 &&
    only?.name === 'default' &&
    normalRules(only.rules, to) ===
      normalRules(['on', 'nopass', '~*', ...(atLeast(to, 6, 2) ? ['&*'] : []), '+@all'], to);
  const inFile = lines.some((it) => it.kind === 'directive' && it.directive === 'user');
  return { lines: untouched && !inFile ? [] : users.map(formatUser), notes };
}

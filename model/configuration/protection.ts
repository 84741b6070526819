import { atLeast } from '../release.js';
import { parseUser } from './acl.js';

export interface Running {
  running: Readonly<Record<string, string>>;
  acl: readonly string[];
}

/**
 * Does protected mode turn clients of other machines away? Up to 6.2 only where no address is bound; from 7.0 on
 * wherever the default user has no password (redis#9034), so the same lines would shut everybody out.
 */
export function turnsOthersAway({ running, acl }: Running, release: string): boolean {
  if (running['protected-mode'] !== 'yes' || !defaultUserHasNoPassword({ running, acl })) return false;
  const bound = (running['bind'] ?? '').split(/\s+/).filter(Boolean);
  if (bound.length > 0 && bound.every((it) => /^-?(127\.|::1$|localhost$)/.test(it))) return false;
  if (atLeast(release, 7, 0)) return true;
  return bound.length === 0 || bound.join(' ') === '* -::*';
}

function defaultUserHasNoPassword({ running, acl }: Running): boolean {
  const user = acl.map(parseUser).find((it) => it?.name === 'default');
  return user ? user.rules.includes('nopass') : (running['requirepass'] ?? '') === '';
}

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

const page = await readFile(join(import.meta.dirname, '..', '..', 'docs', 'requirements-and-limitations.md'), 'utf8');

/** The user that the page tells people to make, as a line of redis.conf. */
export const documentedUser = (password: string): string =>
  /<!-- acl -->\n```\n(user rollout .+)\n```/.exec(page)?.[1]?.replace('>…', `>${password}`) ?? '';

/** What it needs besides where there are standbys. */
export const documentedForStandby = /<!-- acl-standby -->\n```\n(.+)\n```/.exec(page)?.[1] ?? '';

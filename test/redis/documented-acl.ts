import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

const pageOf = (name: string): Promise<string> =>
  readFile(join(import.meta.dirname, '..', '..', 'docs', `${name}.md`), 'utf8');
const page = await pageOf('requirements-and-limitations');
const pages = `${page}${await pageOf('backups')}${await pageOf('restore')}`;

/** The user that the pages tell people to make, for upgrades, for backups, or to load one, as a line of redis.conf. */
export const documentedUser = (password: string, what: 'acl' | 'acl-backup' | 'acl-load' = 'acl'): string =>
  new RegExp(`<!-- ${what} -->\\n\`\`\`\\n(user rollout .+)\\n\`\`\``)
    .exec(pages)?.[1]
    ?.replace('>…', `>${password}`) ?? '';

/** What it needs besides where there are standbys. */
export const documentedForStandby = /<!-- acl-standby -->\n```\n(.+)\n```/.exec(page)?.[1] ?? '';

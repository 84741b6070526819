import { formatSize } from '../../duration.js';
import { measuredOf } from '../../knowledge/measured.js';
import { nameRelease } from '../../release.js';
import type { Finding } from '../finding.js';
import type { NotableKey } from '../survey.js';
import { isThere, spoken } from './command-findings.js';
import type { Evidence } from './evidence.js';

/**
 * From here on a key is a big one: it is compared, and copied to a standby, in one piece, for which its server does nothing
 * else for some hundredths of a second (a hash of a million fields took 2.6 s).
 */
export const BIG_KEY_BYTES = 16 * 1024 ** 2;

/** Keys that hold a server up whenever they are read whole. */
export function dataFindings({ survey }: Evidence): Finding[] {
  const big = survey.keys.flatMap(({ shard, big: keys }) =>
    keys.filter(({ bytes }) => bytes >= BIG_KEY_BYTES).map((it) => ({ ...it, shard })),
  );
  if (big.length === 0) return [];
  const [first] = big.toSorted((a, b) => b.bytes - a.bytes);
  return [
    {
      severity: 'note',
      area: 'data',
      subject: 'big keys',
      text: `${big.length} ${big.length === 1 ? 'key takes' : 'keys take'} ${formatSize(BIG_KEY_BYTES)} or more${first ? `, the largest ${formatSize(first.bytes)}` : ''}: comparing it, or copying it to a standby, holds its server up meanwhile.`,
      next: 'Split it where that can be done; else upgrade its shard when there is little traffic.',
      concerns: big.map((it) => `${it.shard}: ${keyText(it)}`),
    },
  ];
}

const keyText = ({ key, type, bytes, length }: NotableKey): string =>
  `${key} (${type}, ${formatSize(bytes)}${length === undefined || type === 'string' ? '' : `, ${length.toLocaleString('en')} elements`})`;

/** Redis 8.0 lists its built-in vector sets as a module. */
const builtIn = new Set(['vectorset']);

/** Modules that are loaded, with those of their commands that are in use. */
export function moduleFindings({ survey, usage, target, from, to }: Evidence): Finding[] {
  const holders = new Map<string, string[]>();
  for (const { address, modules = [] } of survey.settings)
    for (const { name } of modules) if (!builtIn.has(name)) holders.set(name, [...(holders.get(name) ?? []), address]);
  const plain = measuredOf(from).commands;
  const commands = usage.commands
    .filter(({ name }) => !(name in plain) && !isThere(name, target.commands))
    .map(({ name }) => spoken(name));
  return [...holders].map(([name, nodes]) => ({
    severity: 'blocker',
    area: 'modules',
    subject: name,
    text: `The module ${name} is loaded${commands.length === 0 ? '' : `, and commands that only a module has are in use (${commands.join(', ')})`}: the server of ${nameRelease(to)} at hand is without it, and can load no key of its types.`,
    next: `Have a build of ${name} for ${nameRelease(to)} at the same path, and try it on a copy first.`,
    concerns: nodes,
  }));
}

/** What the user of the deployment file may not, and an upgrade needs. */
export const rightFindings = ({ survey }: Evidence): Finding[] =>
  survey.missingRights.length === 0
    ? []
    : [
        {
          severity: 'action',
          area: 'rights',
          subject: 'rights',
          text: 'The user that redis-rollout connects as may not run everything that an upgrade needs.',
          next: 'Grant it these before the upgrade is started.',
          concerns: [...survey.missingRights],
        },
      ];

import { atLeast, compareNumbers, nameRelease, release } from '../../release.js';
import { hasFlag, leastWords, type CommandFacts } from '../../knowledge/command-table.js';
import { measuredOf } from '../../knowledge/measured.js';
import { some, type Finding } from '../finding.js';
import type { CommandUse } from '../usage.js';
import { usersOfCommand, type Evidence } from './evidence.js';

/** The words by which servers notice HTTP; nobody uses them. */
const traps = new Set(['post', 'host:']);
/** Arities that were set right without a use being lost: XTRIM was never of use without its strategy, nor PFDEBUG to a client. */
const corrected = new Set(['xtrim', 'pfdebug']);

/** Commands in use that the target has no more, or has otherwise. */
export function commandFindings(evidence: Evidence): Finding[] {
  const { from, usage, survey, target } = evidence;
  const [source, plain] = [survey.commands ?? measuredOf(from).commands, measuredOf(from).commands];
  const uses = usage.commands.filter(({ name }) => !traps.has(name));
  const ofServer = uses.filter(({ name }) => name in plain || !hasModule(evidence));
  return [
    ...ofServer.filter(({ name }) => !isThere(name, target.commands)).map((use) => gone(evidence, use)),
    ...uses.flatMap((use) => {
      const [before, after] = [source[use.name], target.commands[use.name]];
      return before && after ? changed(evidence, use, before, after) : [];
    }),
    ...deprecations(evidence, uses),
  ];
}

/** Then a command that no server of the release has is the module's. */
const hasModule = ({ survey }: Evidence): boolean => survey.settings.some(({ modules = [] }) => modules.length > 0);

/** Is a command, or a subcommand of one that counts none, there? */
export const isThere = (name: string, table: Readonly<Record<string, unknown>>): boolean =>
  name in table || (name.includes('|') && (name.split('|')[0] ?? '') in table && !hasBelow(name, table));

const hasBelow = (name: string, table: Readonly<Record<string, unknown>>): boolean =>
  Object.keys(table).some((it) => it.startsWith(`${name.split('|')[0] ?? ''}|`));

/** `CONFIG GET` */
export const spoken = (name: string): string => name.replace('|', ' ').toUpperCase();

function gone(evidence: Evidence, use: CommandUse): Finding {
  const { to } = evidence;
  const dormant = use.during === 0;
  return {
    severity: dormant ? 'action' : 'blocker',
    area: 'commands',
    subject: use.name,
    text: `${spoken(use.name)} is in use (${callsText(use)}), and ${nameRelease(to)} has no such command.`,
    next: dormant
      ? 'Find out who called it, and take it out of use before the first node is upgraded.'
      : 'Take it out of use before the first node is upgraded.',
    concerns: usersOfCommand(evidence, use.name),
  };
}

const callsText = ({ calls, during }: CommandUse): string =>
  `${calls.toLocaleString('en')} ${calls === 1 ? 'call' : 'calls'} since the servers started${during === undefined ? '' : `, ${during.toLocaleString('en')} while it was observed`}`;

function changed(evidence: Evidence, { name }: CommandUse, before: CommandFacts, after: CommandFacts): Finding[] {
  const isNarrower = !corrected.has(name);
  const what = [
    ...(isNarrower && leastWords(after) > leastWords(before)
      ? [`takes at least ${leastWords(after) - 1} arguments, where it took ${leastWords(before) - 1}`]
      : []),
    ...(isNarrower && before.arity < 0 && after.arity >= 0 ? [`takes exactly ${after.arity - 1} arguments`] : []),
    ...(hasFlag(after, 'write') && !hasFlag(before, 'write') ? ['counts as a write: replicas refuse it'] : []),
    ...(hasFlag(after, 'noscript') && !hasFlag(before, 'noscript') ? ['is refused in scripts'] : []),
  ];
  if (what.length === 0) return [];
  return [
    {
      severity: 'action',
      area: 'commands',
      subject: name,
      text: `${spoken(name)} ${what.join(', and ')} at ${nameRelease(evidence.to)}.`,
      next: 'Look at how it is called.',
      concerns: usersOfCommand(evidence, name),
    },
  ];
}

/** What was deprecated on the way; what was so before is no news. One finding: nothing of it stops working. */
function deprecations(evidence: Evidence, uses: readonly CommandUse[]): Finding[] {
  const { from, to, target } = evidence;
  const news = uses.filter(({ name }) => {
    const since = target.commands[name]?.deprecated;
    return since !== undefined && isLater(since, from);
  });
  if (news.length === 0) return [];
  const named = news.map(({ name }) => {
    const instead = target.commands[name]?.instead;
    return `${spoken(name)}${instead === undefined ? '' : ` (${instead})`}`;
  });
  return [
    {
      severity: 'note',
      area: 'commands',
      subject: 'deprecated',
      text: `${nameRelease(to)} calls ${some(named, 8)} deprecated: ${news.length === 1 ? 'it goes' : 'they go'} on working.`,
      next: 'Use what is named in its place when the application is next touched.',
      concerns: [...new Set(news.flatMap(({ name }) => usersOfCommand(evidence, name)))],
    },
  ];
}

/** Valkey began with all that Redis 7.2 deprecated. */
function isLater(since: string, from: string): boolean {
  const [, major = 0, minor = 0] = /^(\d+)\.(\d+)/.exec(since)?.map(Number) ?? [];
  return release(from).flavour === 'redis'
    ? compareNumbers({ flavour: 'redis', major, minor }, { ...release(from), patch: 0 }) > 0
    : !atLeast(from, major, minor);
}

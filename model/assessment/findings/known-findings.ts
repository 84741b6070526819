import { directivesOf } from '../../configuration/directives.js';
import { nameIn, namesOf } from '../../configuration/names.js';
import { parseUser } from '../../configuration/acl.js';
import type { Concern, KnowledgeEntry } from '../../knowledge/entry.js';
import { stepsBetween } from '../../knowledge/steps.js';
import { compareNumbers, release } from '../../release.js';
import type { Finding, FindingArea } from '../finding.js';
import { spoken } from './command-findings.js';
import { usersOfCommand, type Evidence } from './evidence.js';
import { settingsOf } from './setting-findings.js';

/** What is known of the releases in between and concerns something of the deployment's own. */
export function knownFindings(evidence: Evidence): Finding[] {
  const { from, to } = evidence;
  const seen = new Set<string>();
  return stepsBetween(from, to).flatMap(({ entries }) =>
    entries.flatMap((entry): Finding[] => {
      if (seen.has(entry.id) || (entry.below !== undefined && !isOlder(from, entry.below))) return [];
      const hits = entry.concerns.map((concern) => hit(evidence, concern));
      const enough = entry.every ? hits.every((it) => it.length > 0) : hits.some((it) => it.length > 0);
      if (!enough) return [];
      seen.add(entry.id);
      const { severity, what, next, source } = entry;
      const concerns = [...new Set(hits.flat())];
      return [{ severity, area: areaOf(entry), subject: entry.id, text: what, next, concerns, source }];
    }),
  );
}

/** What of the deployment it is about; nothing where it isn't. */
function hit(evidence: Evidence, concern: Concern): string[] {
  const { survey, usage, scripts } = evidence;
  if ('commands' in concern)
    return concern.commands
      .filter((name) => usage.commands.some((it) => it.name === name))
      .map((name) => {
        const users = usersOfCommand(evidence, name);
        return users.length === 0 ? spoken(name) : `${spoken(name)} of ${users.join(', ')}`;
      });
  if ('directive' in concern) return directiveHits(evidence, concern);
  if ('script' in concern) {
    const like = new RegExp(concern.script);
    const functions = survey.settings.flatMap(({ functions: all = [] }) => all);
    return [
      ...scripts.filter(({ text }) => like.test(text)).map(({ name }) => name),
      ...new Set(functions.filter(({ code }) => like.test(code)).map(({ library }) => `function library ${library}`)),
    ];
  }
  if ('rule' in concern) {
    const like = new RegExp(concern.rule);
    return usersIn(evidence).flatMap(({ name, rules }) => (rules.some((rule) => like.test(rule)) ? [name] : []));
  }
  if ('users' in concern) return usersIn(evidence).flatMap(({ name }) => (name === 'default' ? [] : [`user ${name}`]));
  if ('modules' in concern)
    return [...new Set(survey.settings.flatMap(({ modules = [] }) => modules.map(({ name }) => name)))].filter((name) =>
      concern.modules.includes(name),
    );
  if ('client' in concern) {
    const like = new RegExp(concern.client);
    return usage.applications.filter(({ name }) => like.test(name)).map(({ name }) => name);
  }
  return libraryHits(evidence, concern);
}

/** Each user once, however many nodes have it. */
const usersIn = ({ survey }: Evidence) => [
  ...new Map(
    survey.settings
      .flatMap(({ users = [] }) => users.flatMap((line) => parseUser(line) ?? []))
      .map((it) => [it.name, it]),
  ).values(),
];

function directiveHits(evidence: Evidence, { directive, like }: Extract<Concern, { directive: string }>): string[] {
  const { survey, from } = evidence;
  if (like === undefined) {
    const set = settingsOf(evidence).find((it) => namesOf(directive).includes(it.directive));
    // Absent from the source's defaults it is one that the source does not have.
    return set && set.directive in directivesOf(from) ? [...set.values.values()].flat() : [];
  }
  const pattern = new RegExp(like);
  return survey.settings.flatMap(({ address, configuration = {} }) => {
    const name = nameIn(configuration, directive);
    return name !== undefined && pattern.test(configuration[name] ?? '') ? [address] : [];
  });
}

function libraryHits({ usage, libraries }: Evidence, concern: Extract<Concern, { library: string }>): string[] {
  const told = usage.applications.flatMap(({ name, libraries: all }) =>
    all.map((it) => {
      const [library = '', version] = it.split(' ');
      return { application: name, library, version };
    }),
  );
  return [...told, ...libraries]
    .filter(({ library, version }) => {
      if (library.toLowerCase() !== concern.library.toLowerCase()) return false;
      return concern.before === undefined || version === undefined || isBefore(version, concern.before);
    })
    .map(({ application, library, version }) => `${application} (${[library, version].filter(Boolean).join(' ')})`);
}

/** Numbers with points between; what stands behind them (`-rc1`) is left out. */
export function isBefore(version: string, limit: string): boolean {
  const numbers = (text: string): number[] => (/\d+(\.\d+)*/.exec(text)?.[0] ?? '').split('.').map(Number);
  const [a, b] = [numbers(version), numbers(limit)];
  for (let i = 0; i < Math.max(a.length, b.length); i++)
    if ((a[i] ?? 0) !== (b[i] ?? 0)) return (a[i] ?? 0) < (b[i] ?? 0);
  return false;
}

const isOlder = (from: string, patch: string): boolean =>
  release(from).flavour === release(patch).flavour && compareNumbers(release(from), release(patch)) < 0;

function areaOf({ concerns: [first] }: KnowledgeEntry): FindingArea {
  if (first === undefined) return 'release';
  if ('commands' in first) return 'commands';
  if ('directive' in first) return 'configuration';
  if ('script' in first) return 'scripts';
  if ('modules' in first) return 'modules';
  return 'rule' in first || 'users' in first ? 'users' : 'clients';
}

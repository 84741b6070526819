import { convertUser, parseUser } from '../../configuration/acl.js';
import { directivesOf, ofTheMachine } from '../../configuration/directives.js';
import { nameIn, oneName } from '../../configuration/names.js';
import { redact } from '../../configuration/redact.js';
import { normalValue } from '../../configuration/values.js';
import { nameRelease } from '../../release.js';
import { some, type Finding } from '../finding.js';
import type { Evidence } from './evidence.js';

/** A directive that the target has otherwise. */
export interface SettingChange {
  kind: 'removed' | 'renamed' | 'changed default' | 'new';
  directive: string;
  /** What runs, or is the default there. */
  before?: string;
  after?: string;
}

/** Of a directive that somebody set: its values, and the nodes that run with each. */
export interface Setting {
  directive: string;
  values: Map<string, string[]>;
}

/** Directives that run with another value than the source's default, on any node. */
export function settingsOf({ survey, from }: Pick<Evidence, 'survey' | 'from'>): Setting[] {
  const defaults = directivesOf(from);
  const set = new Map<string, Setting>();
  for (const { address, configuration = {} } of survey.settings)
    for (const [directive, value] of Object.entries(configuration)) {
      const usual = defaults[directive];
      if (ofTheMachine.has(directive) || oneName(directive) === 'replicaof') continue;
      if (usual !== undefined && normalValue(directive, value, from) === normalValue(directive, usual, from)) continue;
      const known = set.get(directive) ?? { directive, values: new Map<string, string[]>() };
      set.set(directive, known);
      known.values.set(value, [...(known.values.get(value) ?? []), address]);
    }
  return [...set.values()];
}

/** Directives that somebody set and the target has no more, calls otherwise, or refuses. */
export function settingFindings(evidence: Evidence): Finding[] {
  const { from, to, survey, target } = evidence;
  const known = directivesOf(from);
  const running = new Set(survey.settings.flatMap(({ configuration = {} }) => Object.keys(configuration)));
  const set = settingsOf(evidence).filter(({ directive }) => directive in known);
  // Of two names of one directive, which a server tells both, the newest that it has is meant.
  const meant = set.filter(({ directive }) => newestOf(directive, running) === directive);
  return [
    ...meant.flatMap(({ directive, values }): Finding[] => {
      const now = nameIn(target.configuration, directive);
      if (now === directive) return [];
      const concerns = [...values.values()].flat().sort();
      const is = [...values.keys()].map((value) => redact(directive, value)).join(', ');
      return now === undefined
        ? [
            {
              severity: 'action',
              area: 'configuration',
              subject: directive,
              text: `${directive} is set (${is}), and ${nameRelease(to)} has no such directive: it is left out when a node is upgraded.`,
              next: 'Take it out of your configuration management, and look whether anything hangs on it.',
              concerns,
            },
          ]
        : [
            {
              severity: 'note',
              area: 'configuration',
              subject: directive,
              text: `${directive} is set (${is}) and is called ${now} by ${nameRelease(to)}${directive in target.configuration ? ', which takes the old name too' : ''}.`,
              next: 'Use the new name in your configuration management once every node runs the target.',
              concerns,
            },
          ];
    }),
    ...target.refusedValues.map(({ directive, value, why }): Finding => ({
      severity: 'blocker',
      area: 'configuration',
      subject: directive,
      text: `${directive} is ${value}, which ${nameRelease(to)} refuses: ${why}.`,
      next: 'Set it to a value that both releases take, before the first node is upgraded.',
      concerns: settingsOf(evidence)
        .filter((it) => it.directive === directive)
        .flatMap(({ values }) => values.get(value) ?? []),
    })),
  ];
}

const newestOf = (directive: string, running: ReadonlySet<string>): string | undefined =>
  nameIn(Object.fromEntries([...running].map((name) => [name, ''])), directive);

/** Every directive that the target has otherwise, whether somebody set it or not. */
export function settingChanges({ from, survey, target }: Evidence): SettingChange[] {
  const known = directivesOf(from);
  const running = survey.settings.find(({ configuration }) => configuration !== undefined)?.configuration ?? known;
  const names = new Set(Object.keys(running).map(oneName));
  const own = (name: string): boolean =>
    ofTheMachine.has(name) || name === 'requirepass' || oneName(name) === 'replicaof';
  const of = (table: Readonly<Record<string, string>>, name: string): string | undefined => nameIn(table, name);
  const rows: SettingChange[] = [];
  for (const name of names) {
    const before = of(running, name);
    if (before === undefined || own(before)) continue;
    const [value, after] = [redact(before, running[before] ?? ''), of(target.configuration, name)];
    if (after === undefined) rows.push({ kind: 'removed', directive: before, before: value });
    else if (after !== before) rows.push({ kind: 'renamed', directive: before, before: value, after });
    else if (
      before in known &&
      normalValue(before, known[before] ?? '', from) !==
        normalValue(before, target.configuration[after] ?? '', target.release)
    )
      rows.push({
        kind: 'changed default',
        directive: before,
        before: redact(before, known[before] ?? ''),
        after: redact(before, target.configuration[after] ?? ''),
      });
  }
  for (const [name, value] of Object.entries(target.configuration))
    if (!names.has(oneName(name)) && of(target.configuration, name) === name && !own(name))
      rows.push({ kind: 'new', directive: name, after: redact(name, value) });
  return rows;
}

/** Users whose rules the target does not take, or takes only in part. */
export function userFindings({ from, to, survey, target }: Evidence): Finding[] {
  const lines = new Set(survey.settings.flatMap(({ users = [] }) => users));
  const holders = (name: string): string[] =>
    survey.settings
      .filter(({ users = [] }) => users.some((it) => parseUser(it)?.name === name))
      .map((it) => it.address);
  return [
    ...target.refusedUsers.map(({ user, why }): Finding => ({
      severity: 'blocker',
      area: 'users',
      subject: user,
      text: `${nameRelease(to)} does not take the rules of the user ${user}: ${why}.`,
      next: 'Change its rules so that both releases take them, before the first node is upgraded.',
      concerns: holders(user),
    })),
    ...[...lines].flatMap((line): Finding[] => {
      const user = parseUser(line);
      const dropped = user ? convertUser(user, from, to).dropped : [];
      if (!user || dropped.length === 0) return [];
      return [
        {
          severity: 'action',
          area: 'users',
          subject: user.name,
          text: `The user ${user.name} has rules for commands that ${nameRelease(to)} has not: ${some(dropped)}. They are left out when a node is upgraded.`,
          next: 'Take them out of your own description of the users.',
          concerns: holders(user.name),
        },
      ];
    }),
  ];
}

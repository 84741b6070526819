import type { ConfigurationDifference } from '../evidence.js';
import { nameRelease } from '../release.js';
import { convertUser, normalRules, parseUser } from './acl.js';
import { directivesOf } from './directives.js';
import { namesOf, oneName } from './names.js';
import { turnsOthersAway } from './protection.js';
import { isSecret, redact, redactAcl } from './redact.js';
import { normalValue } from './values.js';

export interface CompareInput {
  /** How the node is called in the rows. */
  node: string;
  /** `CONFIG GET *` before and after. */
  before: Readonly<Record<string, string>>;
  after: Readonly<Record<string, string>>;
  /** `ACL LIST` before and after; empty before 6.0. */
  aclBefore: readonly string[];
  aclAfter: readonly string[];
  from: string;
  to: string;
  /** Directives that differ on purpose, by any of their names. */
  ignore?: readonly string[];
}

/**
 * What differs between a node before and after, values that mean the same taken as equal; without secrets. `changed`
 * is what nobody asked for. The primary that a node follows is no configuration and is left out.
 */
export function compareConfiguration(input: CompareInput): ConfigurationDifference[] {
  const ignored = new Set(['replicaof', ...(input.ignore ?? [])].map(oneName));
  const [before, after] = [byOneName(input.before), byOneName(input.after)];
  const rows: Omit<ConfigurationDifference, 'node'>[] = [];
  for (const [name, old] of before)
    if (!ignored.has(name)) rows.push(...compareDirective(input, name, old, after.get(name)));
  for (const [name, { directive, value }] of after)
    if (!before.has(name) && !ignored.has(name))
      rows.push({ kind: 'added', directive, after: redact(directive, value) });
  if (!ignored.has('user')) rows.push(...compareUsers(input));
  return rows.map((row) => ({ node: input.node, ...row }));
}

interface Setting {
  directive: string;
  value: string;
}

function compareDirective(
  input: CompareInput,
  name: string,
  old: Setting,
  now: Setting | undefined,
): Omit<ConfigurationDifference, 'node'>[] {
  const { from, to } = input;
  const before = redact(old.directive, old.value);
  if (now === undefined) {
    const wasDefault =
      normalValue(name, directivesOf(from)[old.directive] ?? '', from) === normalValue(name, old.value, from);
    const note = `${nameRelease(to)} doesn't have it${wasDefault ? '' : ', and it was set'}`;
    return [{ kind: 'removed', directive: old.directive, before, note }];
  }
  const after = redact(now.directive, now.value);
  // A cluster has one database whatever is set; from 7.4 on CONFIG GET says so.
  if (name === 'databases' && [input.before, input.after].some((it) => it['cluster-enabled'] === 'yes')) return [];
  if (normalValue(name, old.value, from) !== normalValue(name, now.value, to)) {
    if (name === 'protected-mode' && sameProtection(input))
      return [{ kind: 'renamed', directive: name, before, after, note: 'means the same on both (redis#9034)' }];
    const note = isSecret(old.directive) ? { note: 'another secret than before' } : {};
    return [{ kind: 'changed', directive: old.directive, before, after, ...note }];
  }
  const renamed = now.directive !== old.directive;
  return renamed
    ? [{ kind: 'renamed', directive: old.directive, before, after, note: `is called ${now.directive}` }]
    : [];
}

const sameProtection = ({ before, after, aclBefore, aclAfter, from, to }: CompareInput): boolean =>
  turnsOthersAway({ running: before, acl: aclBefore }, from) === turnsOthersAway({ running: after, acl: aclAfter }, to);

function compareUsers({ aclBefore, aclAfter, from, to }: CompareInput): Omit<ConfigurationDifference, 'node'>[] {
  // Before 6.0 there were no users: requirepass and masterauth, compared above, say it all.
  const before = new Map(
    (aclBefore.length > 0 ? aclBefore : aclAfter.filter(isDefault)).flatMap((it) => user(it, from, to)),
  );
  const after = new Map(aclAfter.flatMap((it) => user(it, to, to)));
  const rows: Omit<ConfigurationDifference, 'node'>[] = [];
  for (const name of new Set([...before.keys(), ...after.keys()])) {
    const [old, now] = [before.get(name), after.get(name)];
    if (old && now && normalRules(old, to) === normalRules(now, to)) continue;
    const [shownBefore, shownAfter] = [old, now].map((rules) => rules && redactAcl(rules.join(' ')));
    rows.push({
      kind: 'changed',
      directive: `user ${name}`,
      ...(shownBefore === undefined ? {} : { before: shownBefore }),
      ...(shownAfter === undefined ? {} : { after: shownAfter }),
      ...(shownBefore === shownAfter ? { note: 'another password than before' } : {}),
    });
  }
  return rows;
}

const isDefault = (line: string): boolean => parseUser(line)?.name === 'default';

function user(line: string, from: string, to: string): [string, readonly string[]][] {
  const parsed = parseUser(line);
  return parsed ? [[parsed.name, convertUser(parsed, from, to).user.rules]] : [];
}

/** Each directive once, under its newest name there. */
function byOneName(running: Readonly<Record<string, string>>): Map<string, Setting> {
  const settings = new Map<string, Setting>();
  for (const name of Object.keys(running)) {
    const directive = namesOf(name).findLast((it) => it in running) ?? name;
    settings.set(oneName(name), { directive, value: running[directive] ?? '' });
  }
  return settings;
}

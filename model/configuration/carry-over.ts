import { lineOf } from '../compatibility/release-lines.js';
import type { ConfigurationDifference } from '../evidence.js';
import { atLeast, nameRelease } from '../release.js';
import { carryUsers } from './carry-users.js';
import { directivesOf, isKnownAnywhere, ofTheMachine, type Directives } from './directives.js';
import { nameIn, namesOf, oneName } from './names.js';
import { turnsOthersAway } from './protection.js';
import { redact } from './redact.js';
import { parseConfiguration, type ConfigurationLine } from './syntax.js';
import { formatValue, normalValue } from './values.js';

export interface CarryOverInput {
  /** The node's configuration file. */
  file: string;
  /** `CONFIG GET *` of the running node. */
  running: Readonly<Record<string, string>>;
  /** `ACL LIST`; empty before 6.0. */
  acl: readonly string[];
  from: string;
  to: string;
  /** Is it a member of a cluster? By default what the running configuration or the file says. */
  cluster?: boolean;
}

export interface CarryOver {
  /** The new configuration file. Holds secrets. */
  file: string;
  /** Of a node with an `aclfile`: its new text. Holds password hashes. */
  aclFile?: string;
  /** What the releases themselves make different; without secrets. */
  differences: Omit<ConfigurationDifference, 'node'>[];
  /** What a person should know; without secrets. */
  notes: string[];
}

/** Directives of the file alone: CONFIG GET doesn't tell them, so the file's word holds. */
const fileOnly = new Set(['include', 'loadmodule', 'rename-command', 'user']);

/**
 * The configuration under which another release runs as this node runs now, whatever its file says: values set at
 * runtime are written down, renamed directives get their new names, those that are gone are dropped, and where a
 * default changed the running value is pinned. Lines and comments stay where they are.
 */
export function carryOver(input: CarryOverInput): CarryOver {
  const { from, to, acl } = input;
  const target = directivesOf(to);
  const lines = parseConfiguration(input.file);
  const notes: string[] = [];
  const running = wantedValues(input, lines, notes);
  const users = carryUsers({ lines, running, acl, from, to });

  // A release that reads its own file again knows every line of it, also those that its CONFIG GET hides (5.0 hides many).
  const same = lineOf(from) === lineOf(to);
  const includes = lines.some((it) => it.kind === 'directive' && it.directive === 'include');
  const wanted = new Map(
    [...running].flatMap(([name, value]) => {
      const newName = nameIn(target, name) ?? (name === 'cluster-enabled' ? name : undefined);
      return newName === undefined ? [] : [[oneName(name), { name: newName, value }] as const];
    }),
  );
  const visible = new Set(Object.keys(input.running).map(oneName));
  const written = new Set<string>();
  const kept: string[] = [];
  for (const line of lines) {
    if (line.kind === 'other') {
      if (!(includes && heading.test(line.text))) kept.push(line.text);
    } else if (line.kind === 'broken')
      notes.push('a line with unbalanced quotes was left out of the configuration file');
    else if (line.directive === 'user') kept.push(...(includes ? [] : users.lines.splice(0)));
    else if (fileOnly.has(line.directive)) kept.push(line.text);
    else {
      const name = oneName(line.directive);
      const value = wanted.get(name);
      if (value !== undefined) {
        // With includes everything is written after them, since an included file would overrule what stands before.
        if (!written.has(name) && !includes) kept.push(...formatValue(value.name, value.value));
        if (!includes) written.add(name);
      } else if (!visible.has(name) && (same || nameIn(target, name) !== undefined || !isKnownAnywhere(line.directive)))
        kept.push(line.text);
    }
  }
  const added = [...wanted.values()].filter(
    ({ name, value }) => !written.has(oneName(name)) && (includes || matters(name, value, target, to)),
  );
  if (includes)
    notes.push(
      'the file includes others: everything that runs is written after them, but what only they name must suit the target too, and a user that they define, too, would stop the server',
    );
  while (kept.at(-1)?.trim() === '') kept.pop();
  const block = [...added.flatMap(({ name, value }) => formatValue(name, value)), ...users.lines];
  const file = [
    ...kept,
    ...(block.length > 0
      ? ['', `# Set while ${nameRelease(from)} ran, or what ${nameRelease(to)} would do otherwise.`, ...block]
      : []),
  ];
  return {
    file: `${file.join('\n').trim()}\n`,
    ...(users.aclFile === undefined ? {} : { aclFile: users.aclFile }),
    differences: differences(input, running, target),
    notes: [...notes, ...users.notes],
  };
}

/** The line above what we wrote at an earlier upgrade. */
const heading = /^# Set while .+ ran, or what .+ would do otherwise\.$/;

/** What must hold afterwards, by the one name of each directive. */
function wantedValues(
  { running, acl, from, to, cluster }: CarryOverInput,
  lines: readonly ConfigurationLine[],
  notes: string[],
): Map<string, string> {
  const values = new Map(Object.entries(running).map(([name, value]) => [oneName(name), value]));
  const inFile = (name: string): boolean =>
    lines.some((it) => it.kind === 'directive' && it.directive === name && it.args[0]?.toLowerCase() === 'yes');
  const isCluster = cluster ?? (running['cluster-enabled'] === 'yes' || inFile('cluster-enabled'));
  if (isCluster) {
    // A member's primary stands in nodes.conf, and the server refuses to start with replicaof.
    values.delete('replicaof');
    // Set on the command line it shows nowhere in 5.0, and without it the node would start empty, alone.
    if (!values.has('cluster-enabled') && !inFile('cluster-enabled')) values.set('cluster-enabled', 'yes');
  } else if (values.get('replicaof') === '') values.delete('replicaof');
  if (values.get('bind') === '' && !atLeast(from, 6, 2)) values.delete('bind');
  // A new user of 6.0 and 6.2 may use every channel; 7.0 would give it none.
  if (atLeast(from, 6, 0) && !atLeast(from, 6, 2) && atLeast(to, 6, 2)) values.set('acl-pubsub-default', 'allchannels');
  if (turnsOthersAway({ running, acl }, to) && !turnsOthersAway({ running, acl }, from)) {
    values.set('protected-mode', 'no');
    notes.push(
      `protected-mode is set to no: no password is set, and ${nameRelease(to)} would turn away every client of another machine although an address is bound, which ${nameRelease(from)} did not (redis#9034)`,
    );
  }
  return values;
}

/** Would the target do otherwise if the line were not there? */
function matters(name: string, value: string, target: Directives, to: string): boolean {
  if (ofTheMachine.has(name)) return name === 'save' || value !== '';
  return normalValue(name, value, to) !== normalValue(name, target[name] ?? '', to);
}

function differences(
  { running, to }: CarryOverInput,
  wanted: ReadonlyMap<string, string>,
  target: Directives,
): CarryOver['differences'] {
  const rows: CarryOver['differences'] = [];
  const old = new Set(Object.keys(running).map(oneName));
  for (const name of old) {
    // Whom a node follows is its role, not its configuration.
    if (name === 'replicaof') continue;
    const before = namesOf(name).findLast((it) => it in running) ?? name;
    const after = nameIn(target, name);
    const value = redact(before, wanted.get(name) ?? running[before] ?? '');
    if (after === undefined)
      rows.push({ kind: 'removed', directive: before, before: value, note: `${nameRelease(to)} doesn't have it` });
    else if (after !== before)
      rows.push({ kind: 'renamed', directive: before, before: value, after: value, note: `is called ${after}` });
  }
  for (const [name, value] of Object.entries(target))
    if (!old.has(oneName(name)) && name === nameIn(target, name) && !name.startsWith('tls-'))
      rows.push({ kind: 'added', directive: name, after: redact(name, wanted.get(name) ?? value) });
  return rows;
}

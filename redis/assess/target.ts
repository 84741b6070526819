import { convertUser, parseUser } from '../../model/configuration/acl.js';
import { directivesOf } from '../../model/configuration/directives.js';
import { nameIn } from '../../model/configuration/names.js';
import { normalValue } from '../../model/configuration/values.js';
import type { GivenScript, NodeSettings, TargetAnswers } from '../../model/assessment/survey.js';
import type { NodeConnection } from '../connection.js';
import { readCommandTable } from './command-table.js';
import { readGlobals } from './lua-globals.js';

export interface TargetQuestions {
  from: string;
  to: string;
  settings: readonly NodeSettings[];
  scripts: readonly GivenScript[];
}

/**
 * Asks a server of the target, which is thrown away afterwards, what it has and what it makes of the deployment's own
 * settings, users, functions and scripts. No script is run: it is only loaded.
 */
export async function askTarget(connection: NodeConnection, questions: TargetQuestions): Promise<TargetAnswers> {
  const { to, settings, scripts } = questions;
  const flat = (await connection.call('CONFIG', 'GET', '*')) as string[];
  const configuration: Record<string, string> = {};
  for (let i = 0; i + 1 < flat.length; i += 2) configuration[flat[i] ?? ''] = flat[i + 1] ?? '';
  return {
    release: to,
    commands: await readCommandTable(connection),
    globals: await readGlobals(connection),
    configuration,
    refusedScripts: await refused(scripts, ({ text }) => connection.call('SCRIPT', 'LOAD', text)),
    refusedFunctions: await refused(once(settings.flatMap((it) => it.functions ?? [])), ({ code }) =>
      connection.call('FUNCTION', 'LOAD', 'REPLACE', code),
    ),
    refusedUsers: await refused(usersOf(questions), ({ rules }) =>
      connection.call('ACL', 'SETUSER', 'redis-rollout-asks', 'reset', ...rules),
    ),
    // Last: from here on the server is no longer as it came.
    refusedValues: await refusedValues(connection, questions, configuration),
  };
}

async function refused<Item>(
  items: readonly Item[],
  attempt: (item: Item) => Promise<unknown>,
): Promise<(Item & { why: string })[]> {
  const found: (Item & { why: string })[] = [];
  for (const item of items)
    await attempt(item).catch((error: unknown) => {
      if (!(error instanceof Error)) throw error;
      found.push({ ...item, why: error.message });
    });
  return found;
}

const once = (functions: readonly { library: string; code: string }[]): { library: string; code: string }[] => [
  ...new Map(functions.map((it) => [it.library, it])).values(),
];

/** The rules under which each user is carried over; passwords are no matter of the release. */
function usersOf({ from, to, settings }: TargetQuestions): { user: string; rules: string[] }[] {
  const lines = new Set(settings.flatMap(({ users = [] }) => users));
  return [...lines].flatMap((line) => {
    const before = parseUser(line);
    if (!before) return [];
    const { rules } = convertUser(before, from, to).user;
    const plain = rules.filter((rule) => !/^[><#!]/.test(rule)).flatMap((rule) => rule);
    return [{ user: before.name, rules: plain }];
  });
}

/** Of the machine, of the node's place in the cluster, or secret: not the release's to judge. */
const notTried =
  /^(dir|port|bind|bind-source-addr|pidfile|logfile|unixsocket.*|dbfilename|aclfile|replicaof|slaveof|tls-.*|cluster-.*|syslog-.*|appendonly|maxmemory|maxclients|save)$/;
/** What a running server can't be told is not a value that it would refuse in its file. */
const ONLY_AT_THE_START = /immutable|protected|unsupported|unknown option|unrecognized|not allowed/i;

async function refusedValues(
  connection: NodeConnection,
  { from, settings }: TargetQuestions,
  configuration: Readonly<Record<string, string>>,
): Promise<TargetAnswers['refusedValues']> {
  const defaults = directivesOf(from);
  const set = new Map<string, { directive: string; value: string }>();
  for (const { configuration: running = {} } of settings)
    for (const [directive, value] of Object.entries(running)) {
      if (notTried.test(directive) || value === '(redacted)' || !(directive in defaults)) continue;
      if (normalValue(directive, value, from) === normalValue(directive, defaults[directive] ?? '', from)) continue;
      set.set(`${directive} ${value}`, { directive, value });
    }
  const found = await refused([...set.values()], ({ directive, value }) => {
    const name = nameIn(configuration, directive);
    return name === undefined ? Promise.resolve() : connection.call('CONFIG', 'SET', name, value);
  });
  return found.filter(({ why }) => !ONLY_AT_THE_START.test(why));
}

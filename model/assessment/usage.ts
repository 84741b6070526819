import { splitAddress } from '../endpoint.js';
import { hasFlag, type CommandTable } from '../knowledge/command-table.js';
import type { NodeLook, Watched } from './survey.js';

/** A command that clients use. */
export interface CommandUse {
  name: string;
  /** On all nodes, since each of them started. */
  calls: number;
  /** Between the first look and the last, where there are several. */
  during?: number;
}

/** Who uses the deployment, as far as the servers tell. */
export interface Application {
  name: string;
  hosts: string[];
  users: string[];
  /** `ioredis 5.4.1` */
  libraries: string[];
  protocols: number[];
  /** The most connections that were there at once, over all nodes. */
  connections: number;
  blocked: number;
  readOnly: number;
  /** What its connections ran last whenever they were looked at, and what MONITOR told. */
  commands: string[];
  patterns: string[];
}

export interface Usage {
  /** When the first look was, and how long after it the last. */
  from: string;
  overMs: number;
  looks: number;
  commands: CommandUse[];
  applications: Application[];
}

/** Of one application; more would be a list of machines. */
const MOST_HOSTS = 20;
const MOST_PATTERNS = 50;

/**
 * What several looks have seen, together.
 *
 * @param looks in their order, each at all nodes
 * @param table of commands: a replica counts what its primary writes as calls of its own, so that writes of replicas are left out
 */
export function usageOf(
  looks: readonly (readonly NodeLook[])[],
  table: CommandTable,
  watched: readonly Watched[] = [],
): Usage {
  const times = looks.flat().map(({ at }) => at);
  const [from, until] = times.length === 0 ? [0, 0] : [Math.min(...times), Math.max(...times)];
  return {
    from: new Date(from).toISOString(),
    overMs: looks.length > 1 ? until - from : 0,
    looks: looks.length,
    commands: commandsOf(looks.map((look) => look.map((it) => ofClients(it, table)))),
    applications: applicationsOf(looks, watched),
  };
}

function ofClients(look: NodeLook, table: CommandTable): NodeLook {
  if (look.primary) return look;
  const own = Object.entries(look.calls).filter(([name]) => !hasFlag(table[name] ?? { arity: 1 }, 'write'));
  return { ...look, calls: Object.fromEntries(own) };
}

function commandsOf(looks: readonly (readonly NodeLook[])[]): CommandUse[] {
  const uses = new Map<string, CommandUse>();
  const last = new Map<string, NodeLook>();
  const use = (name: string): CommandUse => {
    const known = uses.get(name) ?? { name, calls: 0, ...(looks.length > 1 ? { during: 0 } : {}) };
    uses.set(name, known);
    return known;
  };
  for (const look of looks.flat()) {
    const before = last.get(look.address);
    last.set(look.address, look);
    if (!before) continue;
    for (const [name, calls] of Object.entries(look.calls)) {
      // A process that was started anew counts from nothing.
      const since = before.runId === look.runId ? (before.calls[name] ?? 0) : 0;
      const it = use(name);
      it.during = (it.during ?? 0) + Math.max(0, calls - since);
    }
  }
  for (const { calls } of last.values()) for (const [name, count] of Object.entries(calls)) use(name).calls += count;
  return [...uses.values()].filter(({ calls }) => calls > 0).sort((a, b) => b.calls - a.calls);
}

function applicationsOf(looks: readonly (readonly NodeLook[])[], watched: readonly Watched[]): Application[] {
  const found = new Map<string, Application>();
  const application = (name: string): Application => {
    const none = { hosts: [], users: [], libraries: [], protocols: [], commands: [], patterns: [] };
    const known = found.get(name) ?? { name, ...none, connections: 0, blocked: 0, readOnly: 0 };
    found.set(name, known);
    return known;
  };
  for (const look of looks) {
    const now = new Map<string, { connections: number; blocked: number; readOnly: number }>();
    for (const client of look.flatMap(({ clients }) => clients ?? [])) {
      const it = application(client.application);
      const { library, version, protocol, command, user } = client;
      add(it.hosts, splitAddress(client.address).host, MOST_HOSTS);
      add(it.users, user);
      add(it.libraries, library === undefined ? undefined : [library, version].filter(Boolean).join(' '));
      add(it.protocols, protocol);
      add(it.commands, command);
      const counts = now.get(it.name) ?? { connections: 0, blocked: 0, readOnly: 0 };
      counts.connections++;
      if (client.blocked) counts.blocked++;
      if (client.readOnly) counts.readOnly++;
      now.set(it.name, counts);
    }
    for (const [name, counts] of now) {
      const it = application(name);
      it.connections = Math.max(it.connections, counts.connections);
      it.blocked = Math.max(it.blocked, counts.blocked);
      it.readOnly = Math.max(it.readOnly, counts.readOnly);
    }
  }
  for (const { application: name, commands, patterns } of watched) {
    const it = application(name);
    for (const command of Object.keys(commands)) add(it.commands, command);
    for (const pattern of Object.keys(patterns)) add(it.patterns, pattern, MOST_PATTERNS);
  }
  for (const it of found.values()) it.commands.sort();
  return [...found.values()].sort((a, b) => b.connections - a.connections || (a.name < b.name ? -1 : 1));
}

function add<T>(list: T[], item: T | undefined, most = Number.POSITIVE_INFINITY): void {
  if (item !== undefined && !list.includes(item) && list.length < most) list.push(item);
}

import { atLeast } from '../release.js';
import { carryOver, type CarryOver } from './carry-over.js';
import { oneName } from './names.js';
import { formatDirective, parseConfiguration } from './syntax.js';

export interface StandbyConfigurationInput {
  /** The primary's configuration file, `CONFIG GET *` and `ACL LIST`. */
  file: string;
  running: Readonly<Record<string, string>>;
  acl: readonly string[];
  release: string;
  /** The primary's folder, which its relative paths are relative to. */
  primaryHome: string;
  own: {
    home: string;
    logFile: string;
    clusterFile: string;
    /** The one by which everybody reaches it, and the one of the other kind, where the primary listens on both. */
    port: number;
    otherPort?: number;
    tls: boolean;
  };
  /** Outside of the cluster, following a primary; a member of it; or the member that serves its shard. */
  as: { replicaOf: { host: string; port: number; username?: string; password?: string } } | 'member' | 'serving';
}

/** What it runs otherwise while it serves nobody. `min-replicas-to-write`: it has none, and would refuse what it is given. */
const whileStandby: Readonly<Record<string, string>> = {
  appendonly: 'no',
  save: '',
  maxmemory: '0',
  'min-replicas-to-write': '0',
  'cluster-require-full-coverage': 'no',
  'cluster-replica-no-failover': 'yes',
};

/** In place of a primary it has no replicas when it begins. */
const whileServing: Readonly<Record<string, string>> = { 'min-replicas-to-write': '0' };

const otherwise = (as: StandbyConfigurationInput['as']): Readonly<Record<string, string>> =>
  as === 'serving' ? whileServing : whileStandby;

/** Ports, names and files that a second node of one machine can't have as the first has them, by their newest names. */
const ofOneNode = [
  ...['port', 'tls-port', 'cluster-port', 'dir', 'pidfile', 'logfile', 'unixsocket', 'unixsocketperm', 'daemonize'],
  ...['supervised', 'syslog-ident', 'cluster-enabled', 'cluster-config-file', 'replicaof'],
  ...['cluster-announce-port', 'cluster-announce-tls-port', 'cluster-announce-bus-port'],
  ...['cluster-announce-human-nodename', 'replica-announce-ip', 'replica-announce-port'],
];

/** Files and folders that a server looks for from where it was started. */
const paths = [
  ...['tls-cert-file', 'tls-key-file', 'tls-client-cert-file', 'tls-client-key-file', 'tls-dh-params-file'],
  ...['tls-ca-cert-file', 'tls-ca-cert-dir'],
];

/**
 * The configuration of a node that runs as a shard's primary does, beside it: with its users, limits and renamed commands,
 * and its own folder, ports and names; of the same release, so nothing has another meaning.
 *
 * @returns also what the primary runs with where the standby does not, to be set once it serves
 */
export function standbyConfiguration(
  input: StandbyConfigurationInput,
): CarryOver & { serveWith: Record<string, string> } {
  const { release, running, own } = input;
  const mine = new Set([...ofOneNode, ...Object.keys(otherwise(input.as))].map(oneName));
  const lines = parseConfiguration(input.file).flatMap((line) => {
    if (line.kind !== 'directive') return [line.text];
    if (mine.has(oneName(line.directive))) return [];
    const relative = line.directive === 'include' || line.directive === 'loadmodule';
    const [path, ...rest] = line.args;
    if (!relative || path === undefined || path.startsWith('/')) return [line.text];
    return [formatDirective(line.directive, [`${input.primaryHome}/${path}`, ...rest])];
  });
  const others = Object.fromEntries(
    Object.entries(running)
      .filter(([name]) => !mine.has(oneName(name)))
      .map(([name, value]): [string, string] => {
        if (name === 'aclfile' && value !== '') return [name, `${own.home}/users.acl`];
        return [
          name,
          paths.includes(name) && value !== '' && !value.startsWith('/') ? `${input.primaryHome}/${value}` : value,
        ];
      }),
  );
  const carried = carryOver({
    ...{ file: `${lines.join('\n')}\n`, running: others, acl: input.acl, from: release, to: release, cluster: false },
  });
  const block = ownLines(input, others).map(([name, ...args]) => formatDirective(name, args));
  const serveWith = Object.fromEntries(
    Object.keys(whileStandby).flatMap((name) => {
      const was = Object.entries(running).find(([it]) => oneName(it) === oneName(name))?.[1];
      return was === undefined ? [] : [[name, was]];
    }),
  );
  return { ...carried, file: `${carried.file}\n# This node's own.\n${block.join('\n')}\n`, serveWith };
}

function ownLines(
  { own, as, release }: StandbyConfigurationInput,
  running: Readonly<Record<string, string>>,
): [string, ...string[]][] {
  const plain = own.tls ? (own.otherPort ?? 0) : own.port;
  const secure = own.tls ? own.port : (own.otherPort ?? 0);
  const member = as === 'member' || as === 'serving';
  return [
    ['port', String(plain)],
    ...(secure > 0 ? [['tls-port', String(secure)] as [string, string]] : []),
    ...(atLeast(release, 7, 0) ? [['cluster-port', '0'] as [string, string]] : []),
    ['dir', own.home],
    ['pidfile', `${own.home}/redis.pid`],
    ['logfile', own.logFile],
    ['daemonize', 'no'],
    ['cluster-enabled', member ? 'yes' : 'no'],
    ['cluster-config-file', own.clusterFile],
    ...Object.entries(otherwise(as)).map(([name, value]): [string, string] => [name, value]),
    ...(member ? [] : follows(as.replicaOf, running)),
  ];
}

/** A primary that was never a replica may have no password to follow with: then the one that we have. */
function follows(
  { host, port, username, password }: { host: string; port: number; username?: string; password?: string },
  running: Readonly<Record<string, string>>,
): [string, ...string[]][] {
  const has = (name: string): boolean =>
    Object.entries(running).some(([it, value]) => oneName(it) === oneName(name) && value !== '');
  return [
    ['replicaof', host, String(port)],
    ...(password !== undefined && !has('masterauth')
      ? [
          ['masterauth', password] as [string, string],
          ...(username === undefined ? [] : [['masteruser', username] as [string, string]]),
        ]
      : []),
  ];
}

import { stringify } from 'yaml';

/** What `rollout init` found out about a running installation. */
export interface NewDeployment {
  name: string;
  seeds: readonly string[];
  /** `5.0.6`, for the file's first line. */
  release: string;
  /** How many shards and nodes were found, for the file's first line. */
  shards: number;
  nodes: number;
  username?: string;
  /** `env:NAME` or `file:PATH`. */
  password?: string;
  tls?: { ca?: string; cert?: string; key?: string; serverName?: string; verify?: boolean };
  backupDirectory: string;
}

/** A deployment file with a comment at whatever a person may want to change. `parseDeployment` accepts it as it is. */
export function writeDeployment(it: NewDeployment): string {
  return [
    `# ${it.name}: ${it.release}, ${it.shards} ${it.shards === 1 ? 'shard' : 'shards'}, ${it.nodes} nodes as found by \`rollout init\`.`,
    '# Every field is explained in docs/deployment-file.md; what is left out has the default given there.',
    '',
    field('name', it.name),
    'topology: cluster',
    '',
    '# Any nodes of it; the others are discovered. Several, so that one that is down does not matter.',
    field('seeds', it.seeds),
    '',
    ...credentialLines(it),
    ...(it.tls === undefined ? [] : [field('tls', it.tls), '']),
    platformLines,
    field('backup', { directory: it.backupDirectory, keep: 3 }).replace(
      /^backup:/,
      '# Every shard is backed up, and the backup verified, before anything changes.\nbackup:',
    ),
    '',
    policyLines,
  ].join('\n');
}

/** One field, quoted wherever YAML would read it as something else. */
const field = (name: string, value: unknown): string => stringify({ [name]: value }, { lineWidth: 0 }).trimEnd();

function credentialLines({ username, password }: NewDeployment): string[] {
  const explained = '# Where secrets lie, never the secrets themselves: env:NAME or file:PATH, read on the worker.';
  if (username === undefined && password === undefined)
    return [explained, '# credentials:', '#   password: env:REDIS_PASSWORD', ''];
  const credentials = {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
  };
  return [explained, field('credentials', credentials), ''];
}

const platformLines = `platform:
  # Nodes are processes of this machine; the worker runs beside them.
  kind: process
  # Binaries that are neither on PATH nor fetched by \`npm run setup\`:
  # servers:
  #   8.0.6: /opt/redis-8.0.6/bin/redis-server
`;

const policyLines = `policy:
  # One shard at a time; more end sooner and put more at risk at once.
  parallelShards: 1
  # The first upgraded replica is watched this long before anything else is touched.
  canarySoak: 10m
  # The upgraded deployment is watched this long before finalize.
  soak: 24h
  # safe: the coordinated failover. fast: the coordinated takeover, for old primaries from 6.2 on.
  handover: safe

  # Who may answer. An approval that is left out is not asked for.
  # roles:
  #   engineering: [ana@example.com, ben@example.com]
  #   operations: [olu@example.com]
  # approvals:
  #   start: { roles: [engineering] }
  #   handover: { roles: [engineering, operations], quorum: 2, per: upgrade }
  #   finalize: { roles: [operations] }

  # When nodes may be touched; any time without. Days are those on which a window opens.
  # windows:
  #   - { days: [tue, thu], from: '22:00', to: '04:00', timezone: Europe/Berlin }
  # And when they may not, whatever the windows say: both days are frozen; without a year, every year.
  # freeze:
  #   - { from: 12-20, to: 01-03, timezone: Europe/Berlin, reason: end of the year }

  # What must hold before each step.
  gates:
    memoryHeadroom: 0.1
    maxLag: 1MB
    maxLatency: 100ms
    maxErrorRate: 0
`;

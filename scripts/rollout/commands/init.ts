import { mkdir, writeFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { deploymentsFolder } from '../../../integrations/deployment-files.js';
import { endpointFor } from '../../../integrations/secrets.js';
import { parseDeployment } from '../../../model/deployment-file.js';
import { writeDeployment, type NewDeployment } from '../../../model/deployment-template.js';
import { address as addressSchema } from '../../../model/deployment.js';
import { NAME } from '../../../model/names.js';
import { secretReference } from '../../../model/secret-reference.js';
import { RolloutError } from '../../../model/failures.js';
import { allNodes, type TopologyView } from '../../../model/topology.js';
import { readTopology } from '../../../redis/topology.js';
import { command } from '../command.js';
import { Complaint } from '../complaint.js';
import { note, print, printJson } from '../terminal.js';

interface InitOptions {
  name?: string;
  user?: string;
  passwordFrom?: string;
  tls?: true;
  tlsCa?: string;
  tlsCert?: string;
  tlsKey?: string;
  tlsServerName?: string;
  tlsVerify: boolean;
  renamed: Record<string, string>;
  force?: true;
  json?: true;
}

export function initCommand(): Command {
  return command('init', {
    summary: 'write the deployment file of a running cluster',
    description:
      'Discovers a cluster through one of its nodes and writes deployments/<name>.yaml, commented, to be read and changed. ' +
      'Nothing is changed in the cluster, and no secret is written: only where it lies.',
    examples: [
      ['rollout init 10.0.0.4:6379 --name orders', 'writes deployments/orders.yaml'],
      ['rollout init 10.0.0.4:6379 --name orders --password-from env:ORDERS_PASSWORD', 'requirepass'],
      [
        'rollout init 10.0.0.4:6379 --name orders --user rollout --password-from file:/run/secrets/orders',
        'an ACL user',
      ],
      ['rollout init 10.0.0.4:6379 --name orders --tls-ca /etc/redis/ca.crt', 'over TLS'],
    ],
  })
    .argument('<host:port>', 'any node of the cluster')
    .option('--name <name>', 'what to call it; asked for on a terminal')
    .option('--user <name>', 'ACL user to connect as')
    .option('--password-from <reference>', 'where the password lies: env:NAME or file:PATH')
    .option('--tls', 'connect over TLS, with the system’s certificate authorities')
    .option('--tls-ca <file>', 'CA certificate, PEM (implies --tls)')
    .option('--tls-cert <file>', 'client certificate, PEM (implies --tls)')
    .option('--tls-key <file>', 'client key, PEM (implies --tls)')
    .option('--tls-server-name <name>', 'name in the server certificate, where it is not the host (implies --tls)')
    .option('--no-tls-verify', 'do not check the server certificate')
    .addOption(
      new Option('--renamed <command=name>', 'a command renamed in redis.conf; name or env:NAME; may be repeated')
        .default({}, 'none')
        .argParser(parseRenamed),
    )
    .option('--force', 'overwrite an existing file')
    .action(init);
}

function parseRenamed(text: string, before: unknown): Record<string, string> {
  const match = /^([A-Za-z]+)=(.+)$/.exec(text);
  if (!match?.[1] || !match[2])
    throw new Complaint(
      'usage',
      `--renamed: expected COMMAND=NAME, for example CONFIG=env:CONFIG_NAME, found '${text}'`,
    );
  return { ...(before as Record<string, string>), [match[1].toUpperCase()]: match[2] };
}

async function init(seed: string, options: InitOptions): Promise<void> {
  expect('HOST:PORT', addressSchema.safeParse(seed), seed);
  if (options.passwordFrom !== undefined)
    // The text is not repeated: somebody may have put the password itself there.
    expect('--password-from', secretReference.safeParse(options.passwordFrom));
  const topology = await discover(seed, options);
  const name = options.name ?? (await askName());
  const text = describe(name, seed, topology, options);
  const folder = deploymentsFolder();
  const file = join(folder, `${name}.yaml`);
  parseDeployment(text, file, name);
  await mkdir(folder, { recursive: true });
  try {
    await writeFile(file, text, { flag: options.force ? 'w' : 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new Complaint('usage', `${file} exists already`, ['Choose another --name, or overwrite it with --force.']);
  }
  report(name, file, topology, options);
}

function report(name: string, file: string, topology: TopologyView, { json }: InitOptions): void {
  const nodes = allNodes(topology);
  if (json) {
    printJson({
      deployment: name,
      file,
      releases: releasesOf(topology),
      shards: topology.shards.length,
      nodes: nodes.length,
      disagreements: topology.disagreements,
    });
    return;
  }
  for (const disagreement of topology.disagreements) note(`not well now: ${disagreement}`);
  const shown = relative(process.cwd(), file);
  print([
    `Found ${releasesOf(topology).join(' and ')}: ${topology.shards.length} shards, ${nodes.length} nodes. Wrote ${shown.startsWith('..') ? file : shown}.`,
    'Read it, set who may approve what, then see what an upgrade would take:',
    `  rollout plan ${name} --to 8.0`,
  ]);
}

async function discover(seed: string, options: InitOptions): Promise<TopologyView> {
  const tls = tlsOf(options);
  try {
    const endpoint = await endpointFor({
      name: options.name ?? 'new',
      seeds: [seed],
      credentials: {
        ...(options.user === undefined ? {} : { username: options.user }),
        ...(options.passwordFrom === undefined ? {} : { password: options.passwordFrom }),
      },
      tls: tls && { verify: true, ...tls },
      commands: options.renamed,
    });
    return await readTopology(endpoint, [seed]);
  } catch (error) {
    if (error instanceof RolloutError && error.type === 'Unauthorized' && options.passwordFrom === undefined)
      throw new Complaint('unreachable', error.message.replace(/, and the deployment file names none$/, ''), [
        'Say where it lies: --password-from env:NAME or --password-from file:PATH (with --user for an ACL user).',
      ]);
    throw error;
  }
}

function tlsOf({ tls, tlsCa, tlsCert, tlsKey, tlsServerName, tlsVerify }: InitOptions): NewDeployment['tls'] {
  const files = [tlsCa, tlsCert, tlsKey, tlsServerName];
  if (tls === undefined && tlsVerify && files.every((it) => it === undefined)) return undefined;
  return {
    // Absolute: the worker's working folder is another one.
    ...(tlsCa === undefined ? {} : { ca: resolve(tlsCa) }),
    ...(tlsCert === undefined ? {} : { cert: resolve(tlsCert) }),
    ...(tlsKey === undefined ? {} : { key: resolve(tlsKey) }),
    ...(tlsServerName === undefined ? {} : { serverName: tlsServerName }),
    ...(tlsVerify ? {} : { verify: false }),
  };
}

function describe(name: string, seed: string, topology: TopologyView, options: InitOptions): string {
  const primaries = topology.shards.map(({ primary }) => primary.address);
  const tls = tlsOf(options);
  const renamed = Object.entries(options.renamed);
  const text = writeDeployment({
    name,
    // The first ones are enough to find the rest, wherever the file is read.
    seeds: [...new Set([seed, ...primaries])].slice(0, 4),
    release: releasesOf(topology).join(' and '),
    shards: topology.shards.length,
    nodes: allNodes(topology).length,
    ...(options.user === undefined ? {} : { username: options.user }),
    ...(options.passwordFrom === undefined ? {} : { password: options.passwordFrom }),
    ...(tls === undefined ? {} : { tls }),
    backupDirectory: resolve('backups', name),
  });
  if (renamed.length === 0) return text;
  const lines = renamed.map(([from, to]) => `  ${from}: ${JSON.stringify(to)}`);
  return `${text}\n# Commands that redis.conf renames.\ncommands:\n${lines.join('\n')}\n`;
}

const releasesOf = (topology: TopologyView): string[] => [...new Set(allNodes(topology).map(({ release }) => release))];

async function askName(): Promise<string> {
  if (!process.stdin.isTTY || !process.stdout.isTTY)
    throw new Complaint('usage', 'the deployment needs a name', ['Give it one: --name orders']);
  const { isCancel, text } = await import('@clack/prompts');
  const answer = await text({
    message: 'What is this deployment called?',
    placeholder: 'orders',
    validate: (value) => (NAME.test(value ?? '') ? undefined : 'Lower-case letters, digits and dashes, 63 at most.'),
  });
  if (isCancel(answer)) throw new Complaint('interrupted', 'left without writing anything');
  return answer;
}

function expect(
  what: string,
  parsed: { success: boolean; error?: { issues: readonly { message: string }[] } | undefined },
  found?: string,
): void {
  if (parsed.success) return;
  const reason = parsed.error?.issues.map(({ message }) => message).join('; ') ?? '';
  throw new Complaint('usage', `${what}: ${reason}${found === undefined ? '' : `, found '${found}'`}`);
}

import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { findServers, newestFor } from '../../platforms/process/servers.js';
import { readStarted } from '../../platforms/process/started.js';
import { at, connect, type Endpoint, type NodeConnection } from '../../redis/connection.js';
import { atLeast } from '../../model/release.js';
import { parseInfo } from '../../redis/info.js';
import { sandboxFiles } from './cluster-files.js';
import { claimPort } from './ports.js';
import { endServersIn } from './servers-in.js';

export interface SandboxNode {
  port: number;
  address: string;
  /** Its folder, with redis.conf, redis.log, dump.rdb and nodes.conf. */
  home: string;
}

export interface SandboxOptions {
  /** `5.0.6`, `8.0`, `valkey-9.1`. */
  release: string;
  /** Further lines of redis.conf for every node. */
  configuration?: readonly string[];
  /** Parent folder; by default a new one under the system's temporary folder. */
  root?: string;
  /** Gives each node a disk of its own of this size, where the user may mount one (root on Linux). */
  diskBytes?: number;
  /** Path of the server by exact release, where it is to be another than the one at hand. */
  servers?: Readonly<Record<string, string>>;
  /** For authentication, TLS and renamed commands; host and port are filled in. */
  endpoint?: Omit<Endpoint, 'host' | 'port'>;
}

const run = promisify(execFile);

/** Servers of this machine, on loopback only, thrown away at the end: for the demo, the benchmarks and the tests. */
export class Sandbox implements AsyncDisposable {
  readonly nodes: SandboxNode[] = [];
  readonly #claims: (() => void)[] = [];
  readonly #children = new Map<number, ChildProcess>();
  readonly #mounted: string[] = [];
  #stopped = false;

  private constructor(
    readonly root: string,
    readonly options: SandboxOptions,
  ) {}

  /** `count` servers that know nothing of each other. */
  static async servers(count: number, options: SandboxOptions): Promise<Sandbox> {
    return Sandbox.#begin(count, options, () => Promise.resolve());
  }

  /** A cluster in which node i + primaries replicates node i; returns once every node sees it whole. */
  static async cluster(options: SandboxOptions & { primaries?: number; replicasEach?: number }): Promise<Sandbox> {
    const { primaries = 3, replicasEach = 1 } = options;
    const sandbox = await Sandbox.#begin(
      primaries * (1 + replicasEach),
      {
        ...options,
        configuration: ['cluster-enabled yes', 'cluster-node-timeout 5000', ...(options.configuration ?? [])],
      },
      async ({ nodes }) => {
        const files = sandboxFiles(nodes, primaries, options.release);
        await Promise.all(nodes.map(({ home }, i) => writeFile(join(home, 'nodes.conf'), files[i] ?? '')));
      },
    );
    try {
      await sandbox.#formed(primaries);
    } catch (error) {
      await sandbox.stop();
      throw error;
    }
    return sandbox;
  }

  /** @param before the servers start: all their folders are there */
  static async #begin(
    count: number,
    options: SandboxOptions,
    before: (sandbox: Sandbox) => Promise<void>,
  ): Promise<Sandbox> {
    const root = options.root ?? (await mkdtemp(join(tmpdir(), 'redis-rollout-')));
    const sandbox = new Sandbox(root, options);
    try {
      for (let i = 0; i < count; i++) await sandbox.#prepare();
      await before(sandbox);
      const started = await Promise.allSettled(sandbox.nodes.map((node) => sandbox.#launch(node, options.release)));
      for (const it of started) if (it.status === 'rejected') throw it.reason;
    } catch (error) {
      await sandbox.stop();
      throw error;
    }
    return sandbox;
  }

  endpoint(node: SandboxNode = this.#first()): Endpoint {
    return at({ host: '', port: 0, ...this.options.endpoint }, node.address);
  }

  connect(node?: SandboxNode, options?: { timeoutMs?: number }): Promise<NodeConnection> {
    return connect(this.endpoint(node), options);
  }

  /** One command to the node of an address, over a connection of its own. */
  async ask(address: string | undefined, ...command: [string, ...(string | number)[]]): Promise<unknown> {
    if (address === undefined) throw new Error(`${command[0]}: no node is there to be asked`);
    await using connection = await connect(at(this.endpoint(), address));
    return await connection.call(...command);
  }

  /** Ends every server that works in one of its folders, whoever started it, and removes them. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.nodes.map((node) => this.kill(node)));
    // One that an upgrade was just starting when its worker was ended has written no pid file yet; a standby's folder
    // lies beside its primary's.
    await endServersIn(this.root);
    for (const release of this.#claims) release();
    await Promise.all(this.#mounted.map((home) => run('umount', ['--lazy', home])));
    await rm(this.root, { recursive: true, force: true, maxRetries: 5 });
  }

  /** SIGKILLs the server of one node, the sandbox's own or the one an upgrade started in its place. */
  async kill(node: SandboxNode): Promise<void> {
    const pids = await this.signal(node, 'SIGKILL');
    const deadline = Date.now() + 5000;
    while (pids.some(alive)) {
      if (Date.now() > deadline) throw new Error(`pids ${pids.join(', ')} of ${node.address} did not end`);
      await sleep(10);
    }
  }

  /** Starts a node that was killed as it ran last, by the release that an upgrade started there, else its own. */
  async start(node: SandboxNode): Promise<void> {
    if ((await this.pids(node)).length > 0) return;
    const started = await readStarted({ ...node, configurationFile: join(node.home, 'redis.conf') });
    await this.#launch(node, started?.release ?? this.options.release);
  }

  /** Whatever serves the node: the sandbox's own process, or the one an upgrade started in its place. */
  async pids(node: SandboxNode): Promise<number[]> {
    const pids = new Set<number>();
    const own = this.#children.get(node.port);
    if (own?.pid !== undefined && own.exitCode === null && own.signalCode === null) pids.add(own.pid);
    const written = Number(await readFile(join(node.home, 'redis.pid'), 'utf8').catch(() => ''));
    if (written > 0 && (await runsIn(written, node.home))) pids.add(written);
    return [...pids];
  }

  /** Sends a signal to whatever serves the node (SIGSTOP hangs it, SIGCONT wakes it); the pids that got it. */
  async signal(node: SandboxNode, signal: NodeJS.Signals): Promise<number[]> {
    return (await this.pids(node)).filter((pid) => {
      try {
        return process.kill(pid, signal);
      } catch {
        return false;
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #first(): SandboxNode {
    const [node] = this.nodes;
    if (!node) throw new Error('the sandbox has no node');
    return node;
  }

  async #prepare(): Promise<void> {
    const { port, release: giveBack } = await claimPort();
    this.#claims.push(giveBack);
    const home = join(this.root, String(port));
    const tls = this.options.endpoint?.tls !== undefined;
    const lines = [
      ...(tls ? [`tls-port ${port}`, 'port 0'] : [`port ${port}`]),
      'bind 127.0.0.1',
      `dir "${home}"`,
      'logfile "redis.log"',
      `pidfile "${join(home, 'redis.pid')}"`,
      'daemonize no',
      'save ""',
      // Debian's packages wait 5 s before a diskless sync from 7.0 on; a sandbox has no second replica to wait for.
      'repl-diskless-sync-delay 0',
      ...(this.options.configuration ?? []),
    ];
    await mkdir(home, { recursive: true });
    await this.#mount(home);
    await writeFile(join(home, 'redis.conf'), lines.join('\n') + '\n', { mode: 0o600 });
    this.nodes.push({ port, address: `127.0.0.1:${port}`, home });
  }

  async #mount(home: string): Promise<void> {
    const { diskBytes } = this.options;
    if (diskBytes === undefined || process.platform !== 'linux' || process.getuid?.() !== 0) return;
    await run('mount', ['-t', 'tmpfs', '-o', `size=${diskBytes}`, 'redis-rollout', home]);
    this.#mounted.push(home);
  }

  /** Starts a server in a node's folder and waits until it answers. */
  async #launch(node: SandboxNode, wanted: string): Promise<void> {
    const { home, port } = node;
    const servers = await findServers(this.options.servers);
    const release = newestFor(servers.keys(), wanted);
    const program = release === undefined ? undefined : servers.get(release);
    if (release === undefined || program === undefined)
      throw new Error(`no server of release ${wanted} here: run \`npm run setup\``);
    const child = await spawnServer(home, program);
    this.#children.set(port, child);
    if (this.#stopped) {
      child.kill('SIGKILL');
      throw new Error(`${node.address} is not started: its sandbox is gone`);
    }
    const deadline = Date.now() + 15_000;
    for (;;) {
      try {
        // In a function of its own: esbuild's `await using` keeps the error of a loop's earlier round and throws it again.
        await this.#answers(node);
        // A pid file of our own: some of the servers write theirs only when they daemonize. Not where an upgrade was
        // quicker: then it is that one's.
        if (child.exitCode === null) await writeFile(join(home, 'redis.pid'), `${child.pid ?? 0}\n`);
        return;
      } catch (error) {
        if (Date.now() > deadline || child.exitCode !== null) {
          const tail = await readFile(join(home, 'redis.log'), 'utf8').catch(() => '');
          const out = await readFile(join(home, 'stdout.log'), 'utf8').catch(() => '');
          throw new Error(`${release} on port ${port} did not start: ${tail.slice(-800)}${out.slice(-800)}`, {
            cause: error,
          });
        }
        await sleep(20);
      }
    }
  }

  async #answers(node: SandboxNode): Promise<void> {
    await using connection = await this.connect(node);
    await connection.call('PING');
  }

  async #formed(primaries: number): Promise<void> {
    const connections = await Promise.all(this.nodes.map((node) => this.connect(node)));
    try {
      await until(
        'every node sees the cluster ok, is linked with all others, and every replica is linked',
        async () => {
          const infos = await Promise.all(
            connections.map(async (c) => ({
              ...parseInfo(String(await c.call('INFO', 'replication'))),
              ...parseInfo(String(await c.call('CLUSTER', 'INFO'))),
            })),
          );
          const views = await Promise.all(connections.map(async (c) => String(await c.call('CLUSTER', 'NODES'))));
          return (
            infos.every(
              (info: Record<string, string>) =>
                info['cluster_state'] === 'ok' && (info['role'] === 'master' || info['master_link_status'] === 'up'),
            ) &&
            views.every(
              (view) =>
                (view.match(/slave/g) ?? []).length === this.nodes.length - primaries &&
                (view.match(/ connected/g) ?? []).length === this.nodes.length,
            )
          );
        },
      );
    } finally {
      for (const c of connections) c.close();
    }
  }
}

/** A server on the configuration of a node's folder, detached, its output in `stdout.log` there. */
export async function spawnServer(home: string, program: string): Promise<ChildProcess> {
  const log = await open(join(home, 'stdout.log'), 'a');
  const child = spawn(program, [join(home, 'redis.conf')], {
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
    cwd: home,
  });
  child.unref();
  await log.close();
  return child;
}

/** Waits for a condition; at the deadline says what was missing. */
export async function until(
  what: string,
  condition: () => Promise<boolean> | boolean,
  timeoutMs = 30_000,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  let last: unknown;
  while (Date.now() < deadline) {
    try {
      if (await condition()) return;
      last = undefined;
    } catch (error) {
      last = error;
    }
    await sleep(25);
  }
  throw new Error(`not within ${timeoutMs} ms: ${what}${last instanceof Error ? ` (${last.message})` : ''}`);
}

export const supportsTls = (release: string): boolean => atLeast(release, 6, 0);

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** A pid file may be stale and the pid somebody else's: only a process whose working folder is the node's is ours. */
async function runsIn(pid: number, home: string): Promise<boolean> {
  const { readlink, realpath } = await import('node:fs/promises');
  try {
    return (await readlink(`/proc/${pid}/cwd`)) === (await realpath(home));
  } catch {
    return false;
  }
}

import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection } from '@temporalio/client';
import { cacheFolder } from '../../launch/cache.mjs';
import { searchAttributes } from '../../model/names.js';
import { locate } from './search-path.js';
import { testServerProgram } from './test-server.js';
import { claimPort } from '../sandbox/ports.js';

export interface TemporalOptions {
  /** Serve the web UI too. */
  ui?: boolean;
  /** SQLite file that outlives the server: started again with the same file and port, it goes on where it stood. */
  dbFile?: string;
  /** gRPC port; by default a free one. */
  port?: number;
  /**
   * Temporal's test server in the place of the dev server: nobody waits for a timer, since time skips to it whenever no
   * task is under way. It has no listing, no UI, and forgets all when it ends.
   */
  timeSkipping?: boolean;
  /** Let it outlive this process (`demo --keep`); otherwise it is ended when this process exits. */
  detached?: boolean;
}

export interface TemporalServer {
  /** `127.0.0.1:port`, for TEMPORAL_ADDRESS. */
  address: string;
  /** `http://127.0.0.1:port`, when asked for. */
  uiUrl?: string;
  pid: number;
  /** Ends it (SIGTERM, after 10 s SIGKILL) and returns when it is gone. May be called twice. */
  stop(): Promise<void>;
}

/** Path of the Temporal CLI: the one on PATH, else that of set-up's cache; undefined when there is none. */
export const temporalProgram = (): Promise<string | undefined> => locate('temporal');

async function programFor({ timeSkipping }: TemporalOptions): Promise<string> {
  const program = timeSkipping === true ? await testServerProgram() : await temporalProgram();
  if (program !== undefined) return program;
  const [what, component] =
    timeSkipping === true ? ['time-skipping server', 'temporal-test-server'] : ['Temporal CLI', 'temporal'];
  throw new Error(`no ${what} on PATH or in ${cacheFolder()}: run \`npm run setup -- --only ${component}\``);
}

/**
 * A Temporal dev server on loopback, with the search attributes registered; ready when this returns.
 * Throws when there is no Temporal CLI, or with the end of its log when it doesn't come up within 60 s.
 */
export async function startTemporal(options: TemporalOptions = {}): Promise<TemporalServer> {
  const program = await programFor(options);
  const releases: (() => void)[] = [];
  const claim = async (): Promise<number> => {
    const { port, release } = await claimPort();
    releases.push(release);
    return port;
  };
  const folder = await mkdtemp(join(tmpdir(), 'redis-rollout-temporal-'));
  const giveBack = async (): Promise<void> => {
    for (const release of releases) release();
    await rm(folder, { recursive: true, force: true });
  };
  const log = join(folder, 'temporal.log');
  try {
    const port = options.port ?? (await claim());
    // Asked first: were another Temporal on that port, `ready` would be answered by it.
    if (!(await isFree(port)))
      throw new Error(`port ${port} of 127.0.0.1 is taken: stop what listens there, or choose another`);
    const uiPort = options.ui === true ? await claim() : undefined;
    const child = await spawnServer(program, { port, uiPort, log, ...options });
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    const pid = child.pid;
    if (pid === undefined) throw new Error(`${program} could not be started`);
    const end = (): boolean => child.kill('SIGKILL');
    if (options.detached !== true) process.once('exit', end);
    const stop = async (): Promise<void> => {
      process.removeListener('exit', end);
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGTERM');
        const force = setTimeout(end, 10_000);
        await gone;
        clearTimeout(force);
      }
      await giveBack();
    };
    const address = `127.0.0.1:${port}`;
    try {
      await ready(address, child, log, options.timeSkipping === true);
    } catch (error) {
      await stop();
      throw error;
    }
    return { address, pid, stop, ...(uiPort === undefined ? {} : { uiUrl: `http://127.0.0.1:${uiPort}` }) };
  } catch (error) {
    await giveBack();
    throw error;
  }
}

/**
 * How often a second the dev server looks for what is to be handed out: 20 times by default, so that each activity and each
 * workflow task waits for up to 50 ms before anybody hears of it; an upgrade has over a hundred of them.
 */
const looksASecond = ['transfer', 'timer', 'visibility'].map((queue) => `history.${queue}ProcessorMaxPollRPS=1000`);

async function spawnServer(
  program: string,
  at: TemporalOptions & { port: number; uiPort: number | undefined; log: string },
): Promise<ChildProcess> {
  const output = await open(at.log, 'a');
  try {
    const child = spawn(
      program,
      at.timeSkipping === true
        ? [String(at.port)]
        : [
            ...['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(at.port), '--log-level', 'warn'],
            ...(at.uiPort === undefined ? ['--headless'] : ['--ui-ip', '127.0.0.1', '--ui-port', String(at.uiPort)]),
            ...(at.dbFile === undefined ? [] : ['--db-filename', at.dbFile]),
            ...Object.values(searchAttributes).flatMap((name) => ['--search-attribute', `${name}=Keyword`]),
            ...looksASecond.flatMap((value) => ['--dynamic-config-value', value]),
          ],
      { detached: true, stdio: ['ignore', output.fd, output.fd] },
    );
    // A group of its own: Ctrl-C on the terminal is for us, who stop it after the workers. It doesn't keep us alive.
    child.unref();
    child.once('error', () => undefined);
    return child;
  } finally {
    await output.close();
  }
}

/** The frontend answers before the namespace and the search attributes are there: all three are waited for. */
async function ready(address: string, child: ChildProcess, log: string, register: boolean): Promise<void> {
  // Loaded here: `setup` and `doctor` need only the path of the program, and the client takes a while to load.
  const { Connection: Client } = await import('@temporalio/client');
  const deadline = Date.now() + 60_000;
  let missing = 'its frontend does not answer';
  for (;;) {
    try {
      const connection = await Client.connect({ address, connectTimeout: 2000 });
      try {
        await connection.workflowService.describeNamespace({ namespace: 'default' });
        if (register) {
          // It can't list them, and the dev server is told on its command line.
          await registerKeywords(connection, Object.values(searchAttributes));
          return;
        }
        const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace: 'default' });
        const absent = Object.values(searchAttributes).filter((name) => customAttributes[name] === undefined);
        if (absent.length === 0) return;
        missing = `search attributes ${absent.join(', ')} are not registered`;
      } finally {
        await connection.close();
      }
    } catch (error) {
      if (error instanceof Error) missing = error.message;
    }
    if (Date.now() > deadline || child.exitCode !== null) {
      const tail = (await readFile(log, 'utf8').catch(() => '')).slice(-1500);
      throw new Error(`the Temporal dev server at ${address} did not come up: ${missing}\n${tail}`);
    }
    await sleep(50);
  }
}

async function registerKeywords(connection: Connection, names: readonly string[]): Promise<void> {
  const KEYWORD = 2;
  await connection.operatorService.addSearchAttributes({
    namespace: 'default',
    searchAttributes: Object.fromEntries(names.map((name) => [name, KEYWORD])),
  });
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

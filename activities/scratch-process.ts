import { spawn, type ChildProcess } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { RolloutError } from '../model/failures.js';

/**
 * The server ends with this process, however that ends: the shell reads from a pipe that nobody writes to, and kills it when
 * the pipe breaks.
 */
const WATCHED = `exec 3<&0
"$0" "$1" </dev/null 3<&- >"$2" 2>&1 &
server=$!
(cat <&3 >/dev/null; kill -9 $server 2>/dev/null) &
watch=$!
exec 3<&- </dev/null
wait $server
kill $watch 2>/dev/null`;

/** A server for one thing only, in a folder of its own, which never outlives this process. */
export class ScratchProcess {
  private constructor(
    private readonly program: string,
    private readonly log: string,
    private readonly shell: ChildProcess,
  ) {}

  /** @param lines of its redis.conf, besides `dir` and `daemonize` */
  static async start({
    program,
    home,
    lines,
  }: {
    program: string;
    home: string;
    lines: readonly string[];
  }): Promise<ScratchProcess> {
    const [file, log] = [join(home, 'redis.conf'), join(home, 'redis.log')];
    await writeFile(file, [`dir "${home}"`, 'daemonize no', ...lines, ''].join('\n'), { mode: 0o600 });
    const shell = spawn('sh', ['-c', WATCHED, program, file, log], { stdio: ['pipe', 'ignore', 'ignore'] });
    return new ScratchProcess(program, log, shell);
  }

  get alive(): boolean {
    return this.shell.exitCode === null && this.shell.signalCode === null;
  }

  /** With the end of its log. */
  async failed(what: string): Promise<RolloutError> {
    const text = await readFile(this.log, 'utf8').catch(() => '');
    const end = text.trim().split('\n').slice(-5).join('\n');
    return new RolloutError('StartFailed', `${this.program} ${what}: ${end === '' ? 'its log is empty' : end}`);
  }

  /** By SIGKILL: whatever it has is thrown away. */
  async end(): Promise<void> {
    const gone = new Promise<void>((resolve) => {
      if (this.alive) this.shell.once('exit', () => resolve());
      else resolve();
    });
    this.shell.stdin?.destroy();
    await gone;
  }
}

/** Of loopback; any, where none is named. @throws where the named one is taken */
export function freePort(wanted = 0): Promise<number> {
  return new Promise((resolve, reject) => {
    const listener = createServer();
    listener.once('error', reject);
    listener.listen(wanted, '127.0.0.1', () => {
      const address = listener.address();
      listener.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

/** One whose cluster bus has its port too, 10,000 above; both below those that systems hand out by themselves. */
export async function freeClusterPort(taken: ReadonlySet<number>): Promise<number> {
  for (let attempt = 0; attempt < 500; attempt++) {
    const port = 12_000 + Math.floor(Math.random() * 9900);
    if (taken.has(port)) continue;
    try {
      await freePort(port + 10_000);
      return await freePort(port);
    } catch {
      // Somebody has one of the two.
    }
  }
  throw new RolloutError('StartFailed', 'no port between 12000 and 21900 is free, with the one 10,000 above it');
}

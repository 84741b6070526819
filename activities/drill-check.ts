import { spawn } from 'node:child_process';
import { formatDuration } from '../model/duration.js';
import type { DrillStep } from '../model/drill.js';
import type { DrillPolicy } from '../model/drill-policy.js';
import { addressOf, type Endpoint } from '../redis/connection.js';

/** Of what it prints, the end is kept: it goes into the record. */
const KEPT = 200;

/**
 * Runs a command of the deployment file against the scratch cluster, which it finds in REDIS_URL, REDIS_HOST, REDIS_PORT,
 * REDIS_PASSWORD and REDIS_NODES (`host:port,host:port`). Exit code 0 is a pass. What the worker itself has in its
 * environment, secrets among it, the command does not get, but for PATH and HOME.
 */
export async function runCheck(
  { name, command, timeout }: DrillPolicy['checks'][number],
  { endpoint, nodes, signal }: { endpoint: Endpoint; nodes: readonly string[]; signal: AbortSignal },
): Promise<DrillStep> {
  const begun = performance.now();
  const { host, port, password = '' } = endpoint;
  const [program = '', ...args] = command;
  const { PATH = '', HOME = '/' } = process.env;
  const child = spawn(program, args, {
    // A group of its own: what it has started ends with it.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...{ PATH, HOME, REDIS_HOST: host, REDIS_PORT: String(port), REDIS_PASSWORD: password },
      ...{ REDIS_URL: `redis://:${password}@${addressOf(endpoint)}`, REDIS_NODES: nodes.join(',') },
    },
  });
  let output = '';
  const take = (chunk: Buffer): void => {
    output = (output + chunk.toString('utf8')).slice(-KEPT * 4);
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  const kill = (): void => {
    if (child.pid !== undefined)
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It has ended by itself.
      }
  };
  const late = AbortSignal.timeout(timeout);
  late.addEventListener('abort', kill, { once: true });
  signal.addEventListener('abort', kill, { once: true });
  try {
    const ended = await new Promise<string | undefined>((resolve) => {
      child.once('error', (error) => resolve(`could not be started: ${error.message}`));
      child.once('close', (code, killedBy) =>
        resolve(code === 0 ? undefined : killedBy === null ? `exit code ${code ?? 'none'}` : `ended by ${killedBy}`),
      );
    });
    signal.throwIfAborted();
    const problem = late.aborted ? `not done within ${formatDuration(timeout)}` : ended;
    const said = output.replaceAll(password, '…').trim().slice(-KEPT);
    return {
      ...{ name: `check ${name}`, result: problem === undefined ? 'passed' : 'failed' },
      tookMs: Math.round(performance.now() - begun),
      found: [problem, said].filter((it) => it !== undefined && it !== '').join(': ') || 'exit code 0',
    };
  } finally {
    late.removeEventListener('abort', kill);
    signal.removeEventListener('abort', kill);
    kill();
  }
}

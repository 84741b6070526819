import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { RolloutError } from '../model/failures.js';
import { connect, type Endpoint } from '../redis/connection.js';
import { scratchHome } from './scratch-home.js';
import { freePort, ScratchProcess } from './scratch-process.js';

/** Longest until it answers, ms. */
const ANSWERS_MS = 30_000;

/**
 * A server without anything, on loopback and with a password of its own, for as long as it is asked; it keeps nothing, and ends
 * with this process.
 *
 * @param options.open without a password, for a program that would show it in its command line
 * @throws RolloutError StartFailed, with the end of its log
 */
export async function emptyServer(
  program: string,
  signal: AbortSignal,
  { open = false }: { open?: boolean } = {},
): Promise<AsyncDisposable & { endpoint: Endpoint }> {
  const home = await scratchHome(tmpdir());
  const password = open ? undefined : randomBytes(16).toString('hex');
  const endpoint = { host: '127.0.0.1', port: await freePort(), ...(password === undefined ? {} : { password }) };
  const lines = [
    `port ${endpoint.port}`,
    'bind 127.0.0.1',
    'save ""',
    ...(password ? [`requirepass ${password}`] : []),
  ];
  const server = await ScratchProcess.start({ program, home, lines });
  const dispose = async (): Promise<void> => {
    await server.end();
    await rm(home, { recursive: true, force: true });
  };
  try {
    for (const deadline = performance.now() + ANSWERS_MS; ;) {
      signal.throwIfAborted();
      if (!server.alive) throw await server.failed('did not start');
      if (performance.now() > deadline) throw await server.failed(`has not answered within ${ANSWERS_MS} ms`);
      if (await answers(endpoint)) return { endpoint, [Symbol.asyncDispose]: dispose };
      await sleep(20);
    }
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function answers(endpoint: Endpoint): Promise<boolean> {
  try {
    await using connection = await connect(endpoint);
    return (await connection.call('PING')) === 'PONG';
  } catch (error) {
    if (error instanceof RolloutError && error.retryable) return false;
    throw error;
  }
}

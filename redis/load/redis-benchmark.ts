import { spawn } from 'node:child_process';
import { RolloutError } from '../../model/failures.js';
import type { LoadShape } from '../../model/load-shape.js';

/** Different keys, as its random numbers have them. */
const KEYS = 10_000;
const CLIENTS = 20;
/** Longest value that it is given. */
const MOST_BYTES = 10_000;

export interface RedisBenchmarkInput {
  /** Path of redis-benchmark or valkey-benchmark. */
  program: string;
  /** Port on loopback of a server without a password: it would take one on its command line only, for everybody to read. */
  port: number;
  requests: number;
  shape: Pick<LoadShape, 'valueSizes'>;
}

/**
 * The servers' own benchmark: closed-loop throughput, as everybody knows it, of reads and writes of strings and hashes.
 *
 * @returns requests a second, by command
 * @throws RolloutError StartFailed with the end of what it wrote
 */
export async function redisBenchmark(input: RedisBenchmarkInput, signal: AbortSignal): Promise<Record<string, number>> {
  // The middle of the histogram: of one size alone, since it knows no more.
  let left = 0.5;
  const size = input.shape.valueSizes.find(({ share }) => (left -= share) <= 0)?.upTo ?? 100;
  const value = 'x'.repeat(Math.min(size, MOST_BYTES));
  const found: Record<string, number> = {};
  for (const [name, words] of [
    ['set', ['SET', 'string:__rand_int__', value]],
    ['get', ['GET', 'string:__rand_int__']],
    ['hset', ['HSET', 'hash:__rand_int__', 'field', value]],
    ['hgetall', ['HGETALL', 'hash:__rand_int__']],
  ] as const)
    found[name] = await run(input, words, signal);
  return found;
}

async function run(
  { program, port, requests }: RedisBenchmarkInput,
  words: readonly string[],
  signal: AbortSignal,
): Promise<number> {
  const args = ['-h', '127.0.0.1', '-p', String(port), '-n', String(requests), '-c', String(CLIENTS)];
  const child = spawn(program, [...args, '-r', String(KEYS), '--csv', ...words], {
    ...{ stdio: ['ignore', 'pipe', 'pipe'], signal, killSignal: 'SIGKILL' },
    env: { PATH: process.env['PATH'] ?? '' },
  });
  let text = '';
  let wrong = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
  child.stderr.on('data', (chunk: Buffer) => (wrong += chunk.toString('utf8')));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  // "GET k","81234.57" before 6.2; with a line of names before it, and more columns, since.
  const perSecond = Number(/^"(?!test)(?:[^"]|"")*","([\d.]+)"/m.exec(text)?.[1]);
  if (code === 0 && perSecond > 0) return perSecond;
  const end = (wrong + text).trim().split('\n').slice(-3).join(' ');
  throw new RolloutError('StartFailed', `${program} ended with ${code ?? 'a signal'}: ${end}`);
}

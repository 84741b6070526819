import { AsyncLocalStorage } from 'node:async_hooks';
import childProcess from 'node:child_process';
import { promises } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { Socket } from 'node:net';

/**
 * Told of everything that is about to be done to the world within `watching`; what it throws is thrown there.
 *
 * @param over the connection that a command goes over
 */
export type OnTouch = (what: string, over?: Socket) => void;

const watcher = new AsyncLocalStorage<OnTouch>();

/**
 * Runs `act` and tells, before it happens, each thing that it does to the world: `command CLUSTER FAILOVER`, `rename …`,
 * `spawn …`, `signal SIGTERM`. What is only read is not told, so that the nth is the same one on every machine.
 */
export function watching<T>(onTouch: OnTouch, act: () => Promise<T>): Promise<T> {
  intercept();
  return watcher.run(onTouch, act);
}

let intercepted = false;

function intercept(): void {
  if (intercepted) return;
  intercepted = true;
  const files = promises as unknown as Record<string, (...args: unknown[]) => unknown>;
  for (const name of ['writeFile', 'appendFile', 'rename', 'link', 'symlink', 'unlink', 'rm', 'copyFile'])
    before(files, name, ([first, second]) => `${name} ${String(first)} ${typeof second === 'string' ? second : ''}`);
  const children = childProcess as unknown as typeof files;
  for (const name of ['spawn', 'fork']) before(children, name, ([program]) => `${name} ${String(program)}`);
  before(process as unknown as typeof files, 'kill', ([, signal]) =>
    signal === 0 ? undefined : `signal ${String(signal)}`,
  );
  before(Socket.prototype as unknown as typeof files, 'write', ([data]) => `command ${words(data)}`);
  syncBuiltinESMExports();
}

function before(
  owner: Record<string, (...args: unknown[]) => unknown>,
  name: string,
  tell: (args: unknown[]) => string | undefined,
): void {
  const original = owner[name];
  if (!original) throw new Error(`${name} is not there to be watched`);
  owner[name] = function (this: unknown, ...args: unknown[]): unknown {
    const onTouch = watcher.getStore();
    const what = onTouch && tell(args);
    if (onTouch && what !== undefined) onTouch(what, this instanceof Socket ? this : undefined);
    return original.apply(this, args);
  };
}

/** A command as a person writes it: the protocol's lengths left out. */
const words = (data: unknown): string =>
  (Buffer.isBuffer(data) ? data.toString('latin1', 0, 500) : String(data).slice(0, 500))
    .replace(/[*$]\d+\r\n/g, '')
    .replaceAll('\r\n', ' ')
    .trim();

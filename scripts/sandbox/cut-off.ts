import { mkdir, rm, writeFile } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { heard, told } from './told.js';

const FILE = 'cut-off.json';

/** From now on, and until `mend`, no worker of these faults' folder reaches these ports; what is open breaks. */
export async function cutOff(folder: string, ports: readonly number[]): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, FILE), JSON.stringify(ports));
  await heard();
}

export async function mend(folder: string): Promise<void> {
  await rm(join(folder, FILE), { force: true });
}

/**
 * Makes this process obey `cutOff`: sockets to those ports refuse to connect, and break when they are written to. A
 * process's own sockets, since what lies between it and a node on loopback lies between the nodes as well.
 */
export function obeyCutOff(folder: string): void {
  const cut = told<readonly number[]>(join(folder, FILE), []);
  const isCut = (port: unknown): boolean => cut().includes(Number(port));
  const broken = (code: string): Error => Object.assign(new Error(`${code}: cut off`), { code });
  const prototype = Socket.prototype as unknown as Record<
    'connect' | 'write',
    (this: Socket, ...args: unknown[]) => unknown
  >;
  const { connect, write } = prototype;
  prototype.connect = function (...args) {
    // net.connect hands on its normalized arguments, as one array.
    const [first] = Array.isArray(args[0]) ? (args[0] as unknown[]) : args;
    if (!isCut((first as { port?: unknown } | undefined)?.port)) return connect.apply(this, args);
    process.nextTick(() => this.destroy(broken('ECONNREFUSED')));
    return this;
  };
  prototype.write = function (...args) {
    if (this.remotePort === undefined || !isCut(this.remotePort)) return write.apply(this, args);
    this.destroy(broken('ECONNRESET'));
    return false;
  };
}

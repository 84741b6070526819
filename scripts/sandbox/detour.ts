import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';
import type { NodeFault } from './node-faults.js';
import { heard, told } from './told.js';
import type { Toxiproxy } from './toxiproxy.js';

const FILE = 'detours.json';
type Detours = Record<string, number>;

const read = async (folder: string): Promise<Detours> =>
  JSON.parse(await readFile(join(folder, FILE), 'utf8').catch(() => '{}')) as Detours;

async function write(folder: string, detours: Detours): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, `${FILE}.partial`), JSON.stringify(detours));
  await rename(join(folder, `${FILE}.partial`), join(folder, FILE));
  await heard();
}

/**
 * A node that takes so long to answer each time a worker asks it something: new connections of the workers of this faults'
 * folder lead through a toxiproxy. Theirs only, since a process platform's node is known by the port that it listens on,
 * and nothing can stand between that and the other nodes.
 */
export function slowFor(toxiproxy: Toxiproxy, folder: string, latencyMs: number): NodeFault {
  return async (_, node) => {
    const proxy = await toxiproxy.proxy(`slow-${node.port}-${Date.now()}`, node.address);
    await proxy.poison({ type: 'latency', attributes: { latency: latencyMs } });
    await write(folder, { ...(await read(folder)), [node.port]: Number(proxy.address.split(':')[1]) });
    return async () => {
      const detours = await read(folder);
      await write(folder, Object.fromEntries(Object.entries(detours).filter(([port]) => port !== String(node.port))));
      await proxy.cut();
    };
  };
}

/** Makes this process take the detours: its sockets to a port with one are led to the other. */
export function obeyDetours(folder: string): void {
  const detours = told<Detours>(join(folder, FILE), {});
  const prototype = Socket.prototype as unknown as Record<'connect', (this: Socket, ...args: unknown[]) => unknown>;
  const { connect } = prototype;
  prototype.connect = function (...args) {
    // net.connect hands on its normalized arguments, as one array.
    const [first] = Array.isArray(args[0]) ? (args[0] as unknown[]) : args;
    const wanted = first as { port?: unknown } | undefined;
    const other = detours()[String(wanted?.port)];
    if (wanted && other !== undefined) wanted.port = other;
    return connect.apply(this, args);
  };
}

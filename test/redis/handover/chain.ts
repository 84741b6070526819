import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SandboxNode } from '../../../scripts/sandbox/cluster.js';

/**
 * Writes the file of a sibling that is down as redis#15472 leaves it: it knows who is primary, and replicates the replica
 * that was it before. Up to 6.2 nothing but a command frees it; from 7.0 on it turns by itself.
 */
export async function chain(sibling: SandboxNode, old: SandboxNode, next: SandboxNode): Promise<void> {
  const file = join(sibling.home, 'nodes.conf');
  const lines = (await readFile(file, 'utf8')).split('\n');
  const idOf = ({ port }: SandboxNode): string => lines.find((line) => line.includes(`:${port}@`))?.split(' ')[0] ?? '';
  const written = lines.map((line) => {
    const [id, address, , , ping, pong, , link] = line.split(' ');
    const rest = [ping, pong, 1000, link].join(' ');
    if (id === idOf(old)) return `${id} ${address} slave ${idOf(next)} ${rest}`;
    if (id === idOf(next)) return `${id} ${address} master - ${rest} 0-16383`;
    return line;
  });
  await writeFile(file, written.join('\n'));
}

import { SLOTS } from '../../model/topology.js';
import { clusterFiles, type FutureNode } from '../../redis/cluster-files.js';
import type { SandboxNode } from './cluster.js';

/** A nodes.conf each: node i + primaries replicates node i, and the slots are shared out evenly. */
export function sandboxFiles(nodes: readonly SandboxNode[], primaries: number, release: string): string[] {
  const future = nodes.map(({ port }, i): FutureNode => {
    const of = i % primaries;
    const [from, to] = [of, of + 1].map((n) => Math.round((n * SLOTS) / primaries)) as [number, number];
    return { port, slots: [[from, to - 1]], ...(i < primaries ? {} : { replicaOf: nodes[of]?.port ?? 0 }) };
  });
  return clusterFiles(future, release);
}

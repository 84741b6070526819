import { randomBytes } from 'node:crypto';
import { atLeast } from '../../model/release.js';
import type { SandboxNode } from './cluster.js';

/**
 * A nodes.conf each, of a cluster whose nodes know each other from their first moment: to be met by gossip takes
 * several seconds, and longer the more there are.
 */
export function clusterFiles(nodes: readonly SandboxNode[], primaries: number, release: string): string[] {
  const members = nodes.map(({ port }, i) => {
    const place = `127.0.0.1:${port}@${port + 10_000}`;
    return { id: randomBytes(20).toString('hex'), shard: randomBytes(20).toString('hex'), place, of: i % primaries };
  });
  const lines = members.map(({ id, place, of }, i) => {
    const { id: primary = '', shard = '' } = members[of] ?? {};
    // From 7.2 on the nodes of a shard have an id for it; each would draw one of its own where none is said.
    const where = atLeast(release, 7, 2) ? `${place},,shard-id=${shard}` : place;
    const [from, to] = [of, of + 1].map((n) => Math.round((n * 16384) / primaries)) as [number, number];
    return (own: boolean): string => {
      const flag = own ? 'myself,' : '';
      return i < primaries
        ? `${id} ${where} ${flag}master - 0 0 ${of + 1} connected ${from}-${to - 1}`
        : `${id} ${where} ${flag}slave ${primary} 0 0 ${of + 1} connected`;
    };
  });
  return members.map(
    (_, self) =>
      `${lines.map((line, i) => line(i === self)).join('\n')}\nvars currentEpoch ${primaries} lastVoteEpoch 0\n`,
  );
}

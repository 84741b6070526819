import { fallbackId, rollingId, shardId } from '../model/names.js';
import { allNodes } from '../model/topology.js';
import type { Assessment } from '../model/work.js';
import { stopped } from './failure.js';
import type { Family } from './family.js';

/**
 * Whoever terminates an operation leaves its children to bring the node in hand back: until then nothing is true of the
 * nodes for long, and one that is down is theirs. They are told once more to end.
 *
 * @throws Stopped while one runs
 */
export async function expectEarlierEnded(family: Family, { way, topology }: Assessment, by: string): Promise<void> {
  // Of a way in hops each has its own; which way an earlier operation went, its nodes tell.
  const hops = new Set([undefined, ...way, ...allNodes(topology).map(({ release }) => release)]);
  const rolling = [...hops].map((hop) => rollingId(family.id, hop));
  // Whoever terminates that one too leaves a shard's to itself.
  const ofShards = rolling.flatMap((parent) => topology.shards.map(({ name }) => shardId(parent, name)));
  for (const ids of [[...rolling, fallbackId(family.id)], ofShards]) {
    const reached = await Promise.all(
      ids.map((id) => family.tell('abort', { by, reason: 'the next start waits for its end' }, id)),
    );
    const running = ids[reached.indexOf(true)];
    if (running !== undefined) throw notEnded(running);
  }
}

export const notEnded = (workflowId: string, cause?: unknown): Error =>
  stopped(
    `${workflowId} of an earlier operation, which was terminated, has not ended yet: it brings the node in hand back first. Start again once it has`,
    cause,
  );

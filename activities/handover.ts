import type { HandoverActivities } from '../model/work.js';
import { readAccount } from '../redis/account.js';
import { at, type Endpoint } from '../redis/connection.js';
import { handOver } from '../redis/handover.js';
import { readAccounts } from '../redis/topology.js';
import { contextFor, fenceAll, heartbeating, platformNode } from './context.js';
import type { Dependencies } from './dependencies.js';
import { madePrimary, noteRoleChange } from './role-change.js';
import { takeVoteTurn } from './vote-turn.js';

/** How long every node concerned may take to show the new roles: gossip reaches the last one with its next pings, ms. */
const CONFIRM_WITHIN_MS = 30_000;

export function handoverActivities(dependencies: Dependencies): HandoverActivities {
  return {
    handOver: (input) =>
      heartbeating(async () => {
        const { shard, from, to, siblings, mode } = input;
        const context = await contextFor(dependencies, input);
        const { endpoint, deployment, signal } = context;
        const [{ memberAddresses: nodes }] = await Promise.all([
          readAccounts(endpoint, [to, ...deployment.seeds]),
          fenceAll(context, input.places),
          mustBeHeard(endpoint, from, to),
        ]);
        const placeOf = (address: string) => input.places.find((it) => it.address === address);
        const [old, successor] = [placeOf(from), placeOf(to)];
        const result = await handOver({
          endpoint,
          connectToAct: (address) => {
            const place = placeOf(address);
            return place ? context.connectToAct(place) : context.connect(address);
          },
          from,
          to,
          siblings,
          nodes,
          mode,
          confirmWithinMs: CONFIRM_WITHIN_MS,
          signal,
          takeVoteTurn: () => takeVoteTurn(context.folder, signal),
          ...(old && {
            hasEnded: async () => (await context.platform.inspect(platformNode(old))).state === 'stopped',
          }),
          ...(successor && {
            tookOver: await madePrimary(context, successor),
            onTakenOver: () => noteRoleChange(context, successor),
          }),
        });
        return {
          shard,
          from,
          to,
          mode: result.mode,
          ms: result.ms,
          at: new Date(result.at).toISOString(),
          ...(result.fellBack === undefined ? {} : { fellBack: result.fellBack }),
        };
      }),
  };
}

/**
 * An old primary that hangs is told within one deadline, and not after every act that waits for it in turn: it serves
 * nobody meanwhile. Once the successor has taken over, nothing depends on its answer.
 *
 * @throws RolloutError NodeHung, Unreachable, …
 */
export async function mustBeHeard(endpoint: Endpoint, from: string, to: string): Promise<void> {
  try {
    await readAccount(at(endpoint, from));
  } catch (error) {
    if ((await readAccount(at(endpoint, to))).node.role !== 'primary') throw error;
  }
}

import { activityInfo } from '@temporalio/activity';
import { BackupStore } from '../integrations/backup-store.js';
import { copyName } from '../model/names.js';
import { maskText } from '../model/staging-policy.js';
import type { CopyOf, StagingActivities } from '../model/staging-work.js';
import type { Order } from '../model/work.js';
import { compareWithTarget } from '../redis/restore/compare.js';
import { loadSnapshot } from '../redis/restore/load.js';
import { selects } from '../redis/restore/selection.js';
import { contextFor, heartbeating, type Context } from './context.js';
import type { Dependencies } from './dependencies.js';
import { maskOf } from './staging-site.js';

/** Of the copy, for an order of the deployment that it is a copy of. */
export const copyContext = (dependencies: Dependencies, { deployment, operation }: Order): Promise<Context> =>
  contextFor(dependencies, { deployment: copyName(deployment), operation });

/** What a copy is made of: a backup, all of it or the keys of some slots. */
export function copyDataActivities(dependencies: Dependencies): Pick<StagingActivities, 'fillCopy' | 'compareCopy'> {
  const open = async (input: Order & CopyOf & { shard: string }) => {
    const origin = await contextFor(dependencies, input);
    const { endpoint, deployment, signal, token } = await copyContext(dependencies, input);
    const store = await BackupStore.open(origin.deployment);
    const keys = await store.keys();
    const sealed = await store.shard(input.backup, input.shard);
    const mask = await maskOf(origin.deployment);
    const meant = selects(input.slots === undefined ? {} : { slots: input.slots });
    return {
      snapshot: () => store.getShard(input.backup, sealed, keys),
      target: { endpoint, seeds: deployment.seeds, selects: meant, mask, signal },
      attempt: {
        ...{ shard: input.shard, epoch: token.epoch },
        missedAfterMs: activityInfo().heartbeatTimeoutMs ?? 10_000,
      },
    };
  };
  return {
    fillCopy: (input) =>
      heartbeating(async (progress) => {
        const begun = performance.now();
        const { snapshot, target, attempt } = await open(input);
        const { shard } = input;
        const counts = await loadSnapshot({
          ...{ ...target, attempt, existing: 'replace', functions: true },
          source: { open: snapshot, sameOrder: true },
          onProgress: ({ read }) => progress({ shard, read }),
        });
        const { selected, written, kept, expired, refused, lacking, bytes } = counts;
        const tookMs = Math.round(performance.now() - begun);
        const masked = target.mask && maskText(target.mask.parts);
        return {
          ...{ shard, selected, written, kept, expired, refused, lacking, bytes, tookMs },
          ...(masked === undefined ? {} : { masked }),
        };
      }),

    compareCopy: (input) =>
      heartbeating(async (progress) => {
        const { snapshot, target } = await open(input);
        const onProgress = (keys: number): void => progress({ shard: input.shard, keys });
        const { shard, expiryToleranceMs } = input;
        return {
          shard,
          ...(await compareWithTarget({ ...target, snapshot: snapshot(), expiryToleranceMs, onProgress })),
        };
      }),
  };
}

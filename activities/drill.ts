import { DrillRecords } from '../integrations/drill-records.js';
import type { DrillActivities } from '../model/backup-work.js';
import { contextFor, heartbeating } from './context.js';
import type { Dependencies } from './dependencies.js';
import { planDrill } from './plan-drill.js';
import { DrillAttempt } from './drill-attempt.js';

/** A disaster, rehearsed on servers of the worker's machine: no node of the deployment is touched. */
export function drillActivities(dependencies: Dependencies): DrillActivities {
  return {
    planDrill: (input) =>
      heartbeating(async () => {
        const { deployment, signal } = await contextFor(dependencies, input);
        const { searchable } = dependencies;
        return { ...(await planDrill(deployment, input, signal)), searchable };
      }),

    // In one: the scratch cluster ends with the attempt that has started it, and another attempt begins anew.
    rehearseRecovery: (input) =>
      heartbeating(async (progress) => {
        const context = await contextFor(dependencies, input);
        return new DrillAttempt(context, input, progress).run();
      }),

    recordDrill: (input) =>
      heartbeating(async () => {
        const { deployment } = await contextFor(dependencies, input);
        const records = await DrillRecords.open(deployment);
        await records.put(input.record);
        await records.keepNewest(deployment.drill.keep);
      }),
  };
}

import { AuditTrail, sha256 } from '../integrations/audit-trail.js';
import { eventsOf } from '../model/audit/events.js';
import type { EvidenceActivities } from '../model/work.js';
import { contextFor, heartbeating } from './context.js';
import type { Dependencies } from './dependencies.js';

/** The workflow's history is what happened; the trail is what is left of it when Temporal has forgotten. */
export const sealAudit =
  (dependencies: Dependencies): EvidenceActivities['sealAudit'] =>
  (input) =>
    heartbeating(async () => {
      const { workflowId, runId, whole } = input;
      const { deployment } = await contextFor(dependencies, input);
      const collect = whole ? dependencies.collectReport : dependencies.collectRoot;
      const events = eventsOf(await collect(workflowId, runId), runId, sha256);
      const trail = await AuditTrail.open(deployment);
      return trail.append(runId, events, () => new Date().toISOString());
    });

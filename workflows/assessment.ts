import { isCancellation, setCurrentDetails, sleep, workflowInfo } from '@temporalio/workflow';
import type { AssessmentDocument } from '../model/assessment/document.js';
import { looksOver } from '../model/assessment/observation.js';
import { verdictOf } from '../model/assessment/sections.js';
import { backupId } from '../model/backup-manifest.js';
import { formatDuration, parseDuration } from '../model/duration.js';
import { inputProblems, workflowSchemas } from '../model/inputs.js';
import { assessing, beginning } from './assessment-proxies.js';
import { badInput, messageOf, stopped } from './failure.js';

/**
 * The assessment of an upgrade, for a change request: it changes nothing, waits for nobody, and holds no lock. Observed over
 * days, it lives between two looks in Temporal alone.
 */
export async function assess(raw: unknown): Promise<AssessmentDocument> {
  const parsed = workflowSchemas.assess.safeParse(raw);
  if (!parsed.success) throw badInput('BadInput', `assess: ${inputProblems(parsed.error, raw)}`);
  const { deployment, to, via, over, monitor, ...rest } = parsed.data;
  const { runId, startTime } = workflowInfo();
  const startedAt = startTime.toISOString();
  const order = { deployment, operation: `${deployment}/${runId}`, to, via };
  const { looks, everyMs } = looksOver(parseDuration(over) ?? 0);
  const monitorMs = parseDuration(monitor) ?? 0;
  try {
    const { from, way } = await beginning.beginAssessment.executeWithOptions({ summary: `find ${deployment}` }, [
      order,
    ]);
    for (let look = 1; look <= looks; look++) {
      if (look > 1) await sleep(everyMs, { summary: `until look ${look} of ${looks}` });
      const left = looks === 1 ? '' : `, ${formatDuration((looks - look) * everyMs)} to go`;
      setCurrentDetails(`Assessment of ${deployment}, ${from} to ${to}: look ${look} of ${looks}${left}.`);
      await assessing.lookAtUse.executeWithOptions({ summary: `look ${look} of ${looks} at its use` }, [
        { ...order, look },
      ]);
    }
    if (monitorMs > 0)
      await assessing.watchUse.executeWithOptions({ summary: `listen to MONITOR for ${formatDuration(monitorMs)}` }, [
        { ...order, way, forMs: monitorMs },
      ]);
    setCurrentDetails(`Assessment of ${deployment}, ${from} to ${to}: read, and held against a server of the target.`);
    const document = await assessing.concludeAssessment.executeWithOptions(
      { summary: `hold ${deployment} against ${way.at(-1) ?? to}` },
      [{ ...order, ...rest, from, way, monitorMs, startedAt, assessment: backupId(startedAt, runId) }],
    );
    setCurrentDetails(verdictOf(document));
    return document;
  } catch (error) {
    if (isCancellation(error)) throw error;
    throw stopped(`the assessment of ${deployment} came to no end: ${messageOf(error)}`, error);
  }
}

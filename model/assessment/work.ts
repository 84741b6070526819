import type { AssessmentDocument } from './document.js';
import type { Price } from './phases.js';
import type { Order } from '../work.js';

/** Whose assessment it is, and of which way. */
export type AssessmentOrder = Order & { to: string; via?: string[] };

/** The assessment of an upgrade, as a document: read-only. */
export interface AssessmentActivities {
  /** The oldest release that runs, and the exact releases of the way. */
  beginAssessment(input: AssessmentOrder): Promise<{ from: string; way: string[] }>;
  /** Keeps what every node was asked for so far, and by whom. Taken again, it takes the place of the one before. */
  lookAtUse(input: AssessmentOrder & { look: number }): Promise<void>;
  /** Listens to MONITOR of every primary for so long, ms. */
  watchUse(input: AssessmentOrder & { way: string[]; forMs: number }): Promise<void>;
  /** Reads the rest, asks a server of the target, and writes the document. */
  concludeAssessment(
    input: AssessmentOrder &
      Pick<AssessmentDocument, 'assessment' | 'startedBy' | 'startedAt' | 'from' | 'way'> & {
        monitorMs: number;
        sample: number;
        scripts: Record<string, string>;
        libraries: Record<string, string>;
        price?: Price | undefined;
      },
  ): Promise<AssessmentDocument>;
}

import { capacityRecord, type CapacityRecord } from '../model/assessment/capacity.js';
import type { Deployment } from '../model/deployment.js';
import { backupTarget, type BackupTarget } from './backup-target.js';
import { newestDocuments, putDocument } from './documents.js';

/** How much was in use at each assessment of one deployment, in the target of its backups. */
export class AssessmentRecords {
  private constructor(
    private readonly prefix: string,
    private readonly target: BackupTarget,
  ) {}

  /** @throws RolloutError Unauthorized, naming a reference of the deployment file */
  static async open({ name, backup }: Deployment): Promise<AssessmentRecords> {
    return new AssessmentRecords(`${name}/assessments/`, await backupTarget(backup));
  }

  async put(record: CapacityRecord): Promise<void> {
    await putDocument(this.target, `${this.prefix}${record.assessment}.json`, record);
  }

  /**
   * The newest, oldest first; one that is damaged is left out.
   *
   * @param most that are read
   * @throws RolloutError Unreachable, Unauthorized
   */
  async newest(most: number): Promise<CapacityRecord[]> {
    const found = await newestDocuments(this.target, { prefix: this.prefix, schema: capacityRecord, most });
    return found.flatMap((it) => ('problem' in it ? [] : [it.document])).reverse();
  }
}

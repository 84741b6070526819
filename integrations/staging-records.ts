import type { Deployment } from '../model/deployment.js';
import { RolloutError } from '../model/failures.js';
import { stagingObject, stagingPrefix, stagingRecord, type StagingRecord } from '../model/staging.js';
import { backupTarget, type BackupTarget } from './backup-target.js';
import { getDocument, putDocument } from './documents.js';

/** What came of the rehearsals of one deployment, in the target of its backups. */
export class StagingRecords {
  private constructor(
    private readonly deployment: string,
    private readonly target: BackupTarget,
  ) {}

  /** @throws RolloutError Unauthorized, naming a reference of the deployment file */
  static async open({ name, backup }: Deployment): Promise<StagingRecords> {
    return new StagingRecords(name, await backupTarget(backup));
  }

  /** For people. */
  get name(): string {
    return this.target.name;
  }

  async put(record: StagingRecord): Promise<void> {
    await putDocument(this.target, stagingObject(this.deployment, record.staging), record);
  }

  /**
   * The newest first; of one that can't be read, why.
   *
   * @param most that are read
   * @throws RolloutError Unreachable, Unauthorized
   */
  async newest(most: number): Promise<(StagingRecord | { staging: string; problem: string })[]> {
    const prefix = stagingPrefix(this.deployment);
    const objects = (await this.target.list(prefix)).filter((it) => it.endsWith('.json')).reverse();
    return Promise.all(
      objects.slice(0, most).map(async (object) => {
        try {
          return await getDocument(this.target, object, stagingRecord);
        } catch (error) {
          if (!(error instanceof RolloutError) || error.type !== 'Damaged') throw error;
          return { staging: object.slice(prefix.length, -'.json'.length), problem: error.message };
        }
      }),
    );
  }
}

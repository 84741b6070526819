import type { Deployment } from '../model/deployment.js';
import { stagingObject, stagingPrefix, stagingRecord, type StagingRecord } from '../model/staging.js';
import { backupTarget, type BackupTarget } from './backup-target.js';
import { newestDocuments, putDocument } from './documents.js';

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
    const of = { prefix: stagingPrefix(this.deployment), schema: stagingRecord, most };
    return (await newestDocuments(this.target, of)).map((it) =>
      'problem' in it ? { staging: it.name, problem: it.problem } : it.document,
    );
  }
}

import type { Deployment } from '../model/deployment.js';
import { drillObject, drillRecord, drillsPrefix, type DrillRecord } from '../model/drill.js';
import { RolloutError } from '../model/failures.js';
import { backupTarget, type BackupTarget } from './backup-target.js';
import { getDocument, putDocument } from './documents.js';

/** What came of the drills of one deployment, in the target of its backups. */
export class DrillRecords {
  private constructor(
    private readonly deployment: string,
    private readonly target: BackupTarget,
  ) {}

  /** @throws RolloutError Unauthorized, naming a reference of the deployment file */
  static async open({ name, backup }: Deployment): Promise<DrillRecords> {
    return new DrillRecords(name, await backupTarget(backup));
  }

  /** For people. */
  get name(): string {
    return this.target.name;
  }

  async put(record: DrillRecord): Promise<void> {
    await putDocument(this.target, drillObject(this.deployment, record.drill), record);
  }

  /**
   * The newest first; of one that can't be read, why.
   *
   * @param most that are read
   * @throws RolloutError Unreachable, Unauthorized
   */
  async newest(most: number): Promise<(DrillRecord | { drill: string; problem: string })[]> {
    const prefix = drillsPrefix(this.deployment);
    const objects = (await this.target.list(prefix)).filter((it) => it.endsWith('.json')).reverse();
    return Promise.all(
      objects.slice(0, most).map(async (object) => {
        try {
          return await getDocument(this.target, object, drillRecord);
        } catch (error) {
          if (!(error instanceof RolloutError) || error.type !== 'Damaged') throw error;
          return { drill: object.slice(prefix.length, -'.json'.length), problem: error.message };
        }
      }),
    );
  }
}

import type { Deployment } from '../model/deployment.js';
import { drillObject, drillRecord, drillsPrefix, type DrillRecord, type ListedDrill } from '../model/drill.js';
import { backupTarget, type BackupTarget } from './backup-target.js';
import { documentsBelow, newestDocuments, putDocument } from './documents.js';

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

  /** Removes all but the newest; what the store has locked stays until it has not. @param most that are kept */
  async keepNewest(most: number): Promise<void> {
    for (const object of (await documentsBelow(this.target, drillsPrefix(this.deployment))).slice(most))
      if ((await this.target.lockedUntil(object)) === undefined) await this.target.remove(object);
  }

  /**
   * The newest first; of one that can't be read, why.
   *
   * @param most that are read
   * @throws RolloutError Unreachable, Unauthorized
   */
  async newest(most: number): Promise<ListedDrill[]> {
    const of = { prefix: drillsPrefix(this.deployment), schema: drillRecord, most };
    return (await newestDocuments(this.target, of)).map((it) =>
      'problem' in it ? { drill: it.name, problem: it.problem } : it.document,
    );
  }
}

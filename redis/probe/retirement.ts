import { checkGeneration } from './check-generation.js';
import type { ClientName } from './entry.js';
import { ledgerFiles, type Ledger, type LedgerFile } from './ledger.js';
import type { RawClient } from './raw-client.js';
import { unlinkGeneration } from './read-back.js';
import type { Workload } from './workload.js';

/**
 * Reads the oldest generations back and removes them, so that the deployment never holds more than a bounded number of
 * the probe's keys. One that is not found whole is left as it is, for the end and for a person to look at.
 */
export class Retirement {
  readonly #kept = new Set<string>();
  #running = false;
  #client: RawClient | undefined;

  constructor(
    private readonly folder: string,
    private readonly ledger: Ledger,
    private readonly workloads: readonly Workload[],
    private readonly clients: readonly ClientName[],
    private readonly generations: number,
    private readonly connect: () => RawClient,
  ) {}

  async pass(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    try {
      for (const file of this.#due()) await this.#retire(file);
    } catch {
      // The deployment can't be asked now, perhaps in the middle of a handover: the next pass comes again.
    } finally {
      this.#running = false;
    }
  }

  /** Readers choose from the last two generations, so that many always stay. */
  #due(): LedgerFile[] {
    const keep = Math.max(2, this.generations);
    const newest = new Map(
      this.workloads.flatMap((workload) =>
        this.clients.map((client) => [`${workload.shard.shard}/${client}`, workload.generation(client)] as const),
      ),
    );
    if ([...newest.values()].every((generation) => generation <= keep)) return [];
    return ledgerFiles(this.folder).filter(
      ({ shard, client, generation, path, retired }) =>
        !retired && !this.#kept.has(path) && generation < (newest.get(`${shard}/${client}`) ?? 0) - keep,
    );
  }

  async #retire(file: LedgerFile): Promise<void> {
    this.#client ??= this.connect();
    const now = (): number => performance.timeOrigin + performance.now();
    this.ledger.flush();
    const result = await checkGeneration(this.#client, file, { ttlToleranceMs: 60_000, patienceMs: 5000, now });
    if (result.lostCount > 0) {
      this.#kept.add(file.path);
      return;
    }
    const { shard, client, generation } = file;
    // Said first, removed afterwards: a kill in between leaves keys that are known, never claims that can't be kept.
    this.ledger.retire({ shard, client, generation, byType: result.acknowledged });
    await unlinkGeneration(this.#client, file, now() + 5000);
    this.ledger.forget(shard, client, generation);
  }
}

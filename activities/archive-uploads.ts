import { setTimeout as sleep } from 'node:timers/promises';
import type { ArchiveStore } from '../integrations/archive-store.js';
import type { SealingKeys } from '../integrations/sealed.js';
import type { Segment } from '../model/archive.js';
import { RolloutError } from '../model/failures.js';
import type { FilledSegment } from './archive-buffer.js';

/** Longest pause before a store that refused is asked again, ms. */
const LONGEST_PAUSE_MS = 5000;

/**
 * Puts segments into the target, one after the other: so what is there has no hole, whenever this ends. A store that is away
 * is asked again for as long as it takes; how much may wait meanwhile is for whoever adds.
 */
export class ArchiveUploads {
  readonly #waiting: FilledSegment[] = [];
  #bytes = 0;
  #running = false;
  #failure: unknown;
  #changed = (): void => undefined;
  /** Why the store takes nothing now. */
  problem: string | undefined;
  stored: Segment | undefined;
  sealedBytes = 0;

  /** @param reopen the same store, with the credentials of now */
  constructor(
    private store: ArchiveStore,
    private readonly keys: SealingKeys,
    private readonly signal: AbortSignal,
    private readonly reopen: () => Promise<ArchiveStore>,
  ) {}

  /** Not stored yet. */
  get bytes(): number {
    return this.#bytes;
  }

  /** When the first byte came that is not stored. */
  get since(): number | undefined {
    return this.#waiting[0]?.records[0]?.at;
  }

  add(filled: FilledSegment | undefined): void {
    if (!filled) return;
    this.#waiting.push(filled);
    this.#bytes += filled.segment.end - filled.segment.first + 1;
    if (this.#running) return;
    this.#running = true;
    this.#run().catch((error: unknown) => {
      this.#failure = error;
      this.#changed();
    });
  }

  /** Once no more than so much waits. @throws RolloutError Unauthorized, BadDeploymentFile, … of the store */
  async below(bytes: number): Promise<void> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure as Error;
      if (this.#bytes <= bytes) return;
      await new Promise<void>((resolve) => (this.#changed = resolve));
    }
  }

  async #run(): Promise<void> {
    for (let attempt = 0; ;) {
      const [filled] = this.#waiting;
      if (!filled) break;
      const { segment, header, records } = filled;
      try {
        const put = await this.store.put(segment, { header, records, keys: this.keys });
        this.stored = put.segment;
        this.sealedBytes += put.sealedBytes;
        attempt = 0;
        this.problem = undefined;
        this.#waiting.shift();
        this.#bytes -= segment.end - segment.first + 1;
        this.#changed();
      } catch (error) {
        if (!(error instanceof RolloutError) || !error.retryable || this.signal.aborted) throw error;
        this.problem = error.message;
        await sleep(Math.min(LONGEST_PAUSE_MS, 100 * 2 ** Math.min(attempt++, 10)), undefined, { signal: this.signal });
        // Its credentials have expired, and there may be newer ones.
        if (error.type === 'Unreadable') this.store = await this.reopen().catch(() => this.store);
      }
    }
    this.#running = false;
  }
}

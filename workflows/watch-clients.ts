import { CancellationScope, isCancellation } from '@temporalio/workflow';
import type { LedgerResult } from '../model/evidence.js';
import { messageOf, stopped } from './failure.js';
import { act, readLedgerOfFailed } from './proxies.js';
import type { Run } from './run.js';

/** The probe, which runs beside everything else and is given to another worker when its own dies. */
export class ClientWatch {
  #ended: Promise<void> | undefined;
  #failure: unknown;
  readonly #scope = new CancellationScope({ cancellable: true });

  constructor(readonly run: Run) {}

  /** From now on it writes keys of its own. */
  start(): void {
    this.#ended ??= this.#scope
      .run(() => act('runProbe', 'watch what clients see', this.run.order))
      .catch((error: unknown) => {
        if (isCancellation(error)) return;
        this.#failure = error;
        this.run.note('failure', `nothing is measured any more, the probe ended: ${messageOf(error)}`);
      });
  }

  /** Why nothing will ever be measured: only what no further attempt would mend ends the probe's activity. */
  get failure(): Error | undefined {
    if (this.#failure === undefined) return undefined;
    return stopped(`what clients see can't be measured: ${messageOf(this.#failure)}`, this.#failure);
  }

  /**
   * Ends the probe and reads back what it wrote; undefined where it never ran.
   *
   * @param of how the operation ended: somebody waits to hear why it failed
   */
  async readBack(of: 'done' | 'failed'): Promise<LedgerResult | undefined> {
    if (!this.#ended) return undefined;
    this.#scope.cancel();
    await this.#ended;
    const what = 'read the ledger back';
    const { order } = this.run;
    const ledger = of === 'failed' ? await readLedgerOfFailed(what, order) : await act('readLedger', what, order);
    if (ledger) this.run.note('check', `ledger: ${ledger.acknowledged} acknowledged writes, ${ledger.lost} lost`);
    return ledger;
  }
}

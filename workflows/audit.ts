import { condition, patched, workflowInfo } from '@temporalio/workflow';
import type { TimelineEntry } from '../model/operation.js';
import { messageOf } from './failure.js';
import type { Operation } from './operation.js';
import { sealed } from './proxies.js';

/** What is put on the trail at once, and not only at the end: what people did, and where the whole operation has come to. */
const soon: readonly TimelineEntry['kind'][] = ['phase', 'approval', 'control'];

/**
 * Has the operation put on the deployment's audit trail, beside what it does: nothing waits for it but the end, and a trail that
 * can't be written is said and ends nothing. One at a time: what comes meanwhile goes with the next.
 */
export class AuditTrail {
  #due = false;
  #ended = false;
  #running: Promise<void> | undefined;

  constructor(readonly operation: Operation) {}

  /** From now on; a child's is put there by its root. */
  begin(): void {
    const { operation } = this;
    if (this.#running || workflowInfo().parent !== undefined || !patched('audit trail')) return;
    this.#due = true;
    operation.onNote = ({ kind }) => {
      if (soon.includes(kind)) this.#due = true;
    };
    this.#running = this.#go();
  }

  /** All of it, with what the children know. */
  async end(): Promise<void> {
    if (!this.#running) return;
    this.#ended = true;
    await this.#running;
    await this.#seal(true);
  }

  async #go(): Promise<void> {
    for (;;) {
      await condition(() => this.#due || this.#ended);
      if (this.#ended) return;
      this.#due = false;
      await this.#seal(false);
    }
  }

  async #seal(whole: boolean): Promise<void> {
    const { operation } = this;
    const { workflowId, runId } = workflowInfo();
    try {
      operation.status.audit = await sealed({ ...operation.order, workflowId, runId, whole });
    } catch (error) {
      operation.note('failure', `not put on the audit trail: ${messageOf(error)}`);
    }
  }
}

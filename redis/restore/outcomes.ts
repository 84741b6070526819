import { RolloutError } from '../../model/failures.js';
import type { Ack } from './acks.js';
import { wordsOf, type Batch, type Write } from './batch.js';
import { noteLack, type RestoreCounts } from './counts.js';
import { PATIENCE_MS, type Targets } from './targets.js';

/** What becomes of the writes of a load: each is counted, is to be sent again, or is a reason to end it. */
export class Outcomes {
  #again: { write: Write; why: string }[] = [];
  #fatal: Error | undefined;

  constructor(private readonly counts: RestoreCounts) {}

  /** Some are to be sent again, or nothing is to be sent any more. */
  get pending(): boolean {
    return this.#again.length > 0 || this.#fatal !== undefined;
  }

  /** Why the first that is to be sent again was not taken; undefined where there is none. */
  get refusal(): string | undefined {
    return this.#again[0]?.why;
  }

  /** @throws RolloutError TargetFull, NoSpace, MissingPermission, Stopped: what ends the load */
  check(): void {
    if (this.#fatal) throw this.#fatal;
  }

  /** @param isPiece of a large value: those count once, with the transaction that gives it its name */
  take(ack: Ack, { batch, index, isPiece }: { batch: Batch; index: number; isPiece: boolean }, targets: Targets): void {
    const { counts } = this;
    if (typeof ack !== 'string') {
      if (isPiece) return;
      if (ack === null || ack === 0) counts.kept++;
      else counts.written++;
      return;
    }
    if (ack.startsWith('BUSYKEY')) {
      counts.kept++;
      return;
    }
    const bytes = batch.write(index);
    const slot = batch.slots[index] ?? 0;
    if (/^(MOVED|ASK|TRYAGAIN|CLUSTERDOWN|LOADING|MASTERDOWN|READONLY|EXECABORT)\b/.test(ack))
      this.#again.push({ write: { bytes, due: batch.dues[index] ?? 1, slot }, why: ack });
    else this.#refused(ack, bytes, targets.laneOf(slot)?.address ?? 'a node');
  }

  #refused(ack: string, bytes: Buffer, where: string): void {
    const { counts } = this;
    const [name = none, key = none] = wordsOf(bytes);
    const command = name.toString('latin1');
    if (/no such key/.test(ack)) counts.expired++;
    else if (/^OOM\b/.test(ack))
      this.#fatal ??= new RolloutError('TargetFull', `${where} has no memory left for the backup: ${ack}`);
    else if (/^MISCONF\b/.test(ack))
      this.#fatal ??= new RolloutError('NoSpace', `${where} takes no writes, since it can't write to its disk: ${ack}`);
    else if (/bad data format/i.test(ack)) {
      counts.refused++;
      noteLack(counts, 'values that the target does not read, of modules that it lacks for example', key);
    } else if (ack.startsWith('NOPERM') || /unknown command/i.test(ack))
      this.#fatal ??= new RolloutError('MissingPermission', `the restore needs ${command}: ${ack}`);
    else this.#fatal ??= new RolloutError('Stopped', `${command} was refused: ${ack}`);
  }

  /**
   * Sends again what is of slots on their way, or that nobody served for a moment, until all of it is answered.
   *
   * @param looked called each time that the targets were looked up anew
   * @throws RolloutError RolesUnsettled after `PATIENCE_MS`, and what `check` throws
   */
  async sendAgain(targets: Targets, looked: () => void): Promise<void> {
    for (const deadline = Date.now() + PATIENCE_MS; this.#again.length > 0;) {
      await targets.settled();
      this.check();
      const again = this.#again;
      this.#again = [];
      if (Date.now() > deadline)
        throw new RolloutError(
          'RolesUnsettled',
          `the target takes no writes of some slots for ${PATIENCE_MS / 1000} s: ${again[0]?.why ?? ''}`,
        );
      await targets.lookAgain();
      looked();
      for (const it of again) {
        const lane = targets.laneOf(it.write.slot);
        if (!lane) {
          this.#again.push(it);
          continue;
        }
        lane.batch.again(it.write);
        if (lane.batch.full) lane.send();
      }
      await targets.settled();
    }
  }
}

const none = Buffer.alloc(0);

import { clip, type Paint } from '../terminal.js';
import { statusView } from '../views/status-view.js';
import { timelineLine } from '../views/timeline-line.js';
import type { Seen, Watcher } from './follow.js';

const ESC = '\u001b[';
const alternate = { enter: `${ESC}?1049h${ESC}?25l`, leave: `${ESC}?25h${ESC}?1049l` };

/**
 * The live view. It has the terminal's second screen to itself, so that resizing can leave no torn lines behind, and
 * what was on the terminal is there again afterwards.
 */
export class Screen implements Watcher {
  #view: Seen | undefined;
  #trouble: { since: number; why: string } | undefined;
  readonly #redraw = (): void => this.#draw();
  readonly #leave = (): void => void this.out.write(alternate.leave);

  constructor(
    private readonly out: NodeJS.WriteStream,
    private readonly paint: Paint,
    private readonly title: string,
  ) {
    out.write(alternate.enter);
    out.on('resize', this.#redraw);
    // Whatever ends this process, the terminal is given back.
    process.once('exit', this.#leave);
    this.#draw();
  }

  seen(view: Seen): void {
    this.#view = view;
    this.#trouble = undefined;
    this.#draw();
  }

  blind(why: string): void {
    this.#trouble = { since: this.#trouble?.since ?? Date.now(), why };
    this.#draw();
  }

  close(): void {
    this.out.off('resize', this.#redraw);
    process.off('exit', this.#leave);
    this.#leave();
  }

  #draw(): void {
    // Some pseudo-terminals say 0.
    const columns = this.out.columns || 80;
    const rows = this.out.rows || 24;
    const frame = screenLines({
      view: this.#view,
      trouble: this.#trouble,
      title: this.title,
      paint: this.paint,
      now: Date.now(),
      columns,
      rows,
    });
    // Line by line over what is there: clearing the screen first would flicker.
    this.out.write(`${ESC}H${frame.map((line) => `${line}${ESC}K`).join('\r\n')}${ESC}J`);
  }
}

export interface ScreenState {
  view: Seen | undefined;
  trouble: { since: number; why: string } | undefined;
  title: string;
  paint: Paint;
  now: number;
  columns: number;
  rows: number;
}

/** What fits on the screen: the status with as many shards as there is room for, then the latest of the timeline. */
export function screenLines({ view, trouble, title, paint, now, columns, rows }: ScreenState): string[] {
  const footer = [
    ...(trouble ? [paint('red', `Not up to date since ${seconds(now - trouble.since)} s: ${trouble.why}`)] : []),
    paint('dim', `${new Date(now).toISOString().slice(11, 19)} UTC  Ctrl-C leaves; the operation goes on.`),
  ];
  const room = Math.max(1, rows - footer.length);
  const body = view === undefined ? [`${title}: looking …`] : fit(view, { paint, now, columns, room });
  const lines = [...body.slice(0, room), ...footer];
  return lines.slice(-rows).map((line) => clip(line, columns));
}

function fit(
  view: Seen,
  { paint, now, columns, room }: { paint: Paint; now: number; columns: number; room: number },
): string[] {
  const draw = (shards: number): string[] =>
    statusView(view.status, { paint, width: columns, now, shards, retries: view.retries });
  let lines = draw(view.status.shards.length);
  // The most shards that there is room for, by halving: a big cluster has hundreds, and this is done every second.
  let [fits, tooMany] = [1, view.status.shards.length];
  if (lines.length > room) {
    lines = draw(fits);
    while (tooMany - fits > 1) {
      const half = Math.floor((fits + tooMany) / 2);
      const drawn = draw(half);
      if (drawn.length > room) tooMany = half;
      else [fits, lines] = [half, drawn];
    }
  }
  const free = room - lines.length - 2;
  if (free < 1) return lines;
  return [...lines, '', ...view.timeline.slice(-free).map((entry) => paint('dim', timelineLine(entry)))];
}

const seconds = (ms: number): number => Math.round(ms / 1000);

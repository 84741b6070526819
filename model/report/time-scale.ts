import { formatDuration } from '../duration.js';
import { clock, day } from './quantities.js';

interface Stretch {
  from: number;
  to: number;
}

/** A stretch of waiting that is drawn narrower than it was. */
export interface Fold extends Stretch {
  x: number;
  width: number;
  text: string;
}

/** Unix ms on 0 … 1. Linear but for long waits, which are folded: a soak of a day would leave a second for the work. */
export interface TimeScale extends Stretch {
  /** Corners of the piecewise linear curve, by time. */
  knots: { at: number; x: number }[];
  folds: Fold[];
}

const DAY_MS = 86_400_000;
const foldedWidth = 0.05;

/** Scale from `from` to `to`; stretches that no `busy` interval touches are folded where they would crowd out the rest. */
export function timeScale(from: number, to: number, busy: readonly Stretch[]): TimeScale {
  const end = Math.max(to, from + 1000);
  const merged = merge(busy.filter((b) => b.to >= from && b.from <= end));
  const worked = merged.reduce((sum, b) => sum + b.to - b.from, 0);
  const margin = Math.max(2000, worked * 0.02);
  const idle: Stretch[] = [];
  let at = from;
  for (const b of [...merged, { from: end + margin, to: end + margin }]) {
    const gap = { from: at === from ? from : at + margin, to: Math.min(end, b.from - margin) };
    if (gap.to - gap.from > Math.max(20_000, worked * 0.25)) idle.push(gap);
    at = Math.max(at, b.to);
  }
  const folded = merged.length === 0 ? [] : idle;
  const width = Math.min(foldedWidth, 0.4 / Math.max(1, folded.length));
  const open = end - from - folded.reduce((sum, f) => sum + f.to - f.from, 0);
  const perMs = (1 - width * folded.length) / open;

  const knots = [{ at: from, x: 0 }];
  const folds: Fold[] = [];
  let x = 0;
  at = from;
  for (const fold of folded) {
    x += (fold.from - at) * perMs;
    knots.push({ at: fold.from, x }, { at: fold.to, x: x + width });
    folds.push({ ...fold, x, width, text: formatDuration(fold.to - fold.from) });
    x += width;
    at = fold.to;
  }
  knots.push({ at: end, x: 1 });
  return { from, to: end, knots, folds };
}

function merge(stretches: readonly Stretch[]): Stretch[] {
  const merged: Stretch[] = [];
  for (const stretch of [...stretches].sort((a, b) => a.from - b.from)) {
    const last = merged.at(-1);
    if (last && stretch.from <= last.to) last.to = Math.max(last.to, stretch.to);
    else merged.push({ from: stretch.from, to: stretch.to });
  }
  return merged;
}

/** Where a time lies, 0 … 1; what is outside is put on the edge. */
export function place({ knots }: TimeScale, at: number): number {
  for (let i = 1; i < knots.length; i++) {
    const [a, b] = [knots[i - 1], knots[i]];
    if (!a || !b || at > b.at) continue;
    if (at <= a.at) return a.x;
    return a.x + ((at - a.at) / (b.at - a.at)) * (b.x - a.x);
  }
  return 1;
}

export interface Tick {
  x: number;
  text: string;
}

const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400].map(
  (s) => s * 1000,
);

/** Round times in UTC, far enough from each other to be read; none inside a fold. */
export function ticksOf(scale: TimeScale): Tick[] {
  const overDays = day(scale.from) !== day(scale.to);
  const apart = overDays ? 0.15 : 0.1;
  const open = 1 - scale.folds.reduce((sum, fold) => sum + fold.width, 0);
  const folded = scale.folds.reduce((sum, fold) => sum + fold.to - fold.from, 0);
  const perTick = ((scale.to - scale.from - folded) / open) * apart;
  const step = steps.find((s) => s >= perTick) ?? Math.ceil(perTick / DAY_MS) * DAY_MS;
  const ticks: Tick[] = [];
  for (let i = 1; i < scale.knots.length; i++) {
    const [a, b] = [scale.knots[i - 1], scale.knots[i]];
    if (!a || !b || scale.folds.some((fold) => fold.from === a.at && fold.to === b.at)) continue;
    for (let at = Math.ceil(a.at / step) * step; at <= b.at; at += step) {
      const x = place(scale, at);
      const time = step >= 60_000 ? clock(at).slice(0, 5) : clock(at);
      const text = !overDays ? time : step >= DAY_MS ? day(at) : `${day(at)} ${time}`;
      if (x - (ticks.at(-1)?.x ?? -1) >= apart) ticks.push({ x, text });
    }
  }
  return ticks;
}

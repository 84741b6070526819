import { formatDuration } from '../duration.js';
import { capital } from './drill-verdict.js';
import { html, type Content } from './html.js';
import { percent, plot, row } from './plot.js';

/** Steps one behind the other, as they were tried; those that took no time of their own are left out. */
export function stepBars(steps: readonly { name: string; result: string; tookMs: number }[]): Content {
  const timed = steps.filter(({ tookMs }) => tookMs > 0);
  const total = timed.reduce((sum, { tookMs }) => sum + tookMs, 0);
  let at = 0;
  return timed.map(({ name, result, tookMs }) => {
    const [x, width] = [at / total, tookMs / total];
    at += tookMs;
    const kind = result === 'failed' ? 'move' : 'work';
    const after = x + width > 0.8;
    return row(
      capital(name),
      plot({ height: 20, label: `${name}: ${formatDuration(tookMs)}, ${result}`, className: 'step' }, [
        html`<g class="bar ${kind}"
          ><rect x="${percent(x)}" width="${percent(Math.max(0.002, width))}" y="3" height="14" rx="1.5"
        /></g>`,
        html`<text
          x="${percent(after ? x : x + width)}"
          dx="${after ? -6 : 6}"
          y="14"
          text-anchor="${after ? 'end' : 'start'}"
          >${formatDuration(tookMs)}</text
        >`,
      ]),
    );
  });
}

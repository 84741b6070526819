import type { DrillStep } from '../drill.js';
import { formatDuration } from '../duration.js';
import type { StagingStep } from '../staging.js';
import { capital } from './drill-verdict.js';
import { html, type Content, type Markup } from './html.js';
import { section } from './people-and-gates.js';
import { percent, plot, row } from './plot.js';
import { sign, table, type Sign } from './table.js';

type Step = DrillStep | StagingStep;

const signs: Record<Step['result'], Sign> = { passed: 'good', failed: 'bad', undecided: 'caution', skipped: 'plain' };

/** What a drill or a rehearsal has tried. */
export function stepsSection(steps: readonly Step[]): Markup {
  return section('steps', 'Steps', [
    html`<div class="chart">${stepBars(steps)}</div>`,
    table({
      caption: 'What was tried, in order, and what was found',
      empty: 'Nothing was tried.',
      columns: [{ head: 'Result' }, { head: 'Step' }, { head: 'Took', numeric: true }, { head: 'Found' }],
      rows: steps.map(({ name, result, tookMs, found }) => [
        sign(signs[result], result),
        capital(name),
        tookMs === 0 ? '' : { content: formatDuration(tookMs), sort: tookMs },
        found,
      ]),
    }),
  ]);
}

/** Steps one behind the other, as they were tried; those that took no time of their own are left out. */
function stepBars(steps: readonly Step[]): Content {
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

/** The page's look: one column, quiet, the same on screen, phone and paper; light or dark as the reader's system is. */
export const style = `
:root {
  color-scheme: light dark;
  --page: #fcfcfa; --raised: #ffffff; --ink: #1b2025; --muted: #58616b; --line: #d9dcd8; --faint: #ecedea;
  --accent: #14568f; --work: #cfe1f2; --work-edge: #3f7fb8; --down: #86b4de; --phase: #e6eaee; --phase-edge: #9aa6b2;
  --old: #9aa2aa; --move: #b04a0b; --move-soft: #f6d9c4; --hatch: #8b939b; --people: #6d5a9c;
  --good: #17663d; --caution: #80590a; --bad: #ad2119; --bad-soft: #fbe9e7; --spread: #c9dced; --wash: rgba(120, 134, 148, 0.10); --wash-down: rgba(20, 86, 143, 0.16);
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171a; --raised: #1a1e22; --ink: #e5e8ea; --muted: #a2abb4; --line: #363c42; --faint: #23282d;
    --accent: #86bbec; --work: #1d4365; --work-edge: #6fa8da; --down: #35688f; --phase: #2a3036; --phase-edge: #69747f;
    --old: #79828b; --move: #f2a468; --move-soft: #553017; --hatch: #7d868f; --people: #b3a1de;
    --good: #76cc9d; --caution: #e2b65c; --bad: #f58c82; --bad-soft: #3b1f1d; --spread: #24455f; --wash: rgba(160, 175, 190, 0.09); --wash-down: rgba(110, 168, 218, 0.20);
  }
}
* { box-sizing: border-box; }
html { font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", Arial, sans-serif; -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--ink); font-variant-numeric: tabular-nums lining-nums; }
.page-head, main, footer { max-width: 72rem; margin: 0 auto; padding: 0 1.5rem; }
.page-head { display: flex; gap: 1rem; padding-top: 1.1rem; color: var(--muted); font-size: .87rem; }
.page-head .product { color: var(--ink); font-weight: 600; letter-spacing: .01em; }
a { color: var(--accent); text-underline-offset: .15em; }
a:focus-visible, button:focus-visible, summary:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 2px; }
h2 { font-size: 1.27rem; font-weight: 600; line-height: 1.25; letter-spacing: -.005em; margin: 3.2rem 0 .8rem; padding-top: .9rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; font-weight: 600; margin: 1.6rem 0 .3rem; }
p { max-width: 52rem; margin: .5rem 0; text-wrap: pretty; }
code, .code { font-family: ui-monospace, SFMono-Regular, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .87em; overflow-wrap: anywhere; }
.muted { color: var(--muted); }
.small { font-size: .86em; }
.bad-text { color: var(--bad); font-weight: 600; }

.verdict { padding: 1.6rem 0 0; }
.verdict-label { display: inline-block; margin: 0 0 .7rem; padding: .1rem .6rem; border: 1.5px solid currentColor; border-radius: 3px; font-size: .87rem; font-weight: 600; color: var(--good); }
.verdict.caution .verdict-label, .verdict.waiting .verdict-label { color: var(--caution); }
.verdict.bad .verdict-label { color: var(--bad); }
.verdict.running .verdict-label { color: var(--accent); }
.verdict h1 { margin: 0; max-width: 40em; font-size: clamp(1.3rem, 1rem + 1.45vw, 1.95rem); line-height: 1.3; font-weight: 500; letter-spacing: -.012em; text-wrap: pretty; overflow-wrap: anywhere; }
.proof { margin-top: .8rem; font-size: 1.07rem; }
.statement { white-space: pre-line; border-left: 3px solid var(--line); padding-left: .9rem; font-size: 1.07rem; overflow-wrap: anywhere; }
.findings { max-width: 46rem; margin: .9rem 0; padding-left: 1.1rem; overflow-wrap: anywhere; }
.findings li { margin: .25rem 0; }
.next { margin: 1rem 0; }
.next dt { color: var(--muted); font-size: .93rem; max-width: 46rem; overflow-wrap: anywhere; }
.next dd { margin: .25rem 0 .9rem; }
.next code { display: inline-block; max-width: 100%; padding: .45rem .75rem; background: var(--faint); border: 1px solid var(--line); border-radius: 4px; user-select: all; }
.provenance, .remark, footer { color: var(--muted); font-size: .87rem; }
.provenance { overflow-wrap: anywhere; }

.figures { display: grid; grid-template-columns: repeat(5, minmax(0, 1fr)); gap: 1.4rem 1.5rem; margin: 1rem 0; }
.figures dt { font-size: .87rem; color: var(--muted); }
.figures dd { margin: 0; }
.figures .value { display: block; font-size: 1.45rem; line-height: 1.3; font-weight: 500; letter-spacing: -.01em; }
.figures .note { display: block; font-size: .87rem; line-height: 1.4; color: var(--muted); overflow-wrap: anywhere; }
.figures .bad .value, .figures .bad .note { color: var(--bad); }
.figures .good .note { color: var(--good); }
.figures .unknown .value { font-style: italic; font-size: 1.1rem; line-height: 1.72; color: var(--muted); }

nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1.2rem; list-style: none; margin: 2rem 0 0; padding: 0; font-size: .93rem; }

.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.3rem; list-style: none; margin: .4rem 0 1rem; padding: 0; font-size: .87rem; color: var(--muted); }
.legend svg { vertical-align: -1px; margin-right: .4rem; }
svg.patterns { position: absolute; }
.chart { margin: .5rem 0 1.5rem; }
.row { display: grid; grid-template-columns: 12rem minmax(0, 1fr); column-gap: 3.2rem; align-items: start; }
.label { font-size: .87rem; line-height: 1.35; min-width: 0; overflow-wrap: anywhere; }
.field { min-width: 0; }
.node-row .label, .shard-lane .label, .operation-row .label { display: flex; justify-content: space-between; gap: .5rem; align-items: center; min-height: 24px; }
.shard-group { margin-top: .8rem; }
.shard-charts { margin: 2rem 0 2.4rem; }
.series-name, .numbers { display: block; }
.numbers { color: var(--muted); font-size: .93em; }
.numbers > span { display: inline-block; margin-right: .35rem; }
.numbers b { font-weight: 500; color: var(--ink); }
.latency-row, .gap-row { margin-top: .55rem; }
.unit { color: var(--muted); font-size: .8rem; }
.axis-row .label { text-align: right; }

svg.plot { display: block; width: 100%; overflow: visible; }
svg text { font-size: 11px; fill: var(--muted); font-variant-numeric: tabular-nums; }
.tick line { stroke: var(--phase-edge); }
.grid { stroke: var(--line); stroke-width: 1; opacity: .7; }
.level { stroke: var(--line); stroke-width: 1; stroke-dasharray: 1 3; }
.level-name { font-size: 10px; text-anchor: end; transform: translate(-8px, 3.5px); paint-order: stroke; stroke: var(--page); stroke-width: 3px; stroke-linejoin: round; }
.base { stroke: var(--phase-edge); stroke-width: 1; }
.fold { fill: var(--faint); stroke: var(--line); stroke-width: 1; stroke-dasharray: 2 3; }
.hatch-line { stroke: var(--hatch); stroke-width: 1.6; }
.hatch-dot { fill: var(--people); }
.fold-name text { font-style: italic; }
.bar rect { stroke-width: 1; vector-effect: non-scaling-stroke; }
.bar.phase rect { fill: var(--phase); stroke: var(--phase-edge); }
.bar.work rect { fill: var(--work); stroke: var(--work-edge); }
.bar.swap rect { fill: var(--down); stroke: var(--accent); }
.bar.move rect { fill: var(--move-soft); stroke: var(--move); }
.bar.wait rect { fill: url(#hatch); stroke: var(--hatch); }
.bar.wait.people rect { fill: url(#hatch-people); stroke: var(--people); }
.bar-name text { fill: var(--ink); }
.bar.wait .bar-name text { paint-order: stroke; stroke: var(--page); stroke-width: 4px; stroke-linejoin: round; }
.track.replica { stroke: var(--old); stroke-width: 1.5; }
.track.primary { stroke: var(--old); stroke-width: 6; }
.track.upgraded { stroke: var(--accent); }
.handover line, .handover-tick { stroke: var(--move); stroke-width: 1.75; }
.moment path { fill: var(--ink); }
.moment .stroked, .failed .stroked { fill: none; stroke: var(--bad); stroke-width: 2; }
.band.phase { fill: var(--wash); }
.band.swap { fill: var(--wash-down); }
.curves path { fill: none; vector-effect: non-scaling-stroke; stroke-linejoin: round; }
.curves .max { fill: var(--spread); stroke: var(--work-edge); stroke-width: .75; fill-opacity: .75; }
.curves .p99 { stroke: var(--accent); stroke-width: 1.1; stroke-dasharray: 4 2.5; }
.curves .p50 { stroke: var(--ink); stroke-width: 1.5; }
.gap line { stroke: var(--move); stroke-width: 1; }
.gap circle { fill: var(--move); stroke: var(--move); stroke-width: 1.25; }
.gap.read circle { fill: var(--page); }
.gap.usual line { stroke: var(--old); stroke-opacity: .55; }
.gap.usual circle { fill: var(--old); stroke: var(--old); r: 2px; }
.gap.usual.read circle { fill: var(--page); }
.dot { display: inline-block; width: 8px; height: 8px; margin-left: .4rem; border-radius: 50%; border: 1.5px solid var(--move); background: var(--move); }
.dot.hollow { background: none; }
.annotation text { fill: var(--ink); paint-order: stroke; stroke: var(--page); stroke-width: 4px; stroke-linejoin: round; }
.annotation .strong { font-weight: 600; }

.trend-row { margin-top: .8rem; }
.trend .curve { stroke: var(--accent); stroke-width: 1.4; }
.objective { stroke: var(--move); stroke-width: 1.5; stroke-dasharray: 6 4; }
.point circle { fill: var(--accent); stroke: var(--page); stroke-width: 1.5; }
.point.part circle { fill: var(--page); stroke: var(--accent); }
.point .stroked { fill: none; stroke: var(--bad); stroke-width: 2; }
.step text { fill: var(--ink); }

table { width: 100%; border-collapse: collapse; margin: .6rem 0 1.4rem; font-size: .93rem; }
caption { text-align: left; color: var(--muted); font-size: .87rem; padding-bottom: .45rem; }
th { text-align: left; font-weight: 500; font-size: .87rem; color: var(--muted); vertical-align: bottom; }
th, td { padding: .38rem .9rem .38rem 0; border-bottom: 1px solid var(--line); }
td { vertical-align: top; overflow-wrap: anywhere; }
td:not(.numeric) > div { min-width: 5.2rem; }
td.code:not(.numeric) > div { min-width: 10.2rem; }
time { white-space: nowrap; }
tbody tr:last-child td { border-bottom-color: var(--phase-edge); }
thead th { border-bottom-color: var(--phase-edge); }
th.numeric, td.numeric { text-align: right; white-space: nowrap; }
td.numeric + td:not(.numeric), th.numeric + th:not(.numeric) { padding-left: 1.2rem; }
th:last-child, td:last-child { padding-right: 0; }
th button { all: unset; cursor: pointer; }
th button:hover { color: var(--ink); text-decoration: underline; }
th[aria-sort] button::after { content: " ↑" / ""; }
th[aria-sort="descending"] button::after { content: " ↓" / ""; }
td:not(.code) .sign { white-space: nowrap; }
.mark { margin-right: .45em; fill: currentColor; }
.mark .stroked { fill: none; stroke: currentColor; stroke-width: 1.8; }
.sign.good { color: var(--good); } .sign.caution { color: var(--caution); } .sign.bad { color: var(--bad); font-weight: 600; } .sign.wait { color: var(--caution); }
.answer { margin: 0 0 .4rem; }
.empty { color: var(--muted); font-style: italic; }
details > summary { cursor: pointer; padding: .45rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
summary > * + * { margin-left: .5rem; }
details[open] > summary { border-bottom-color: transparent; }
.fold-out { margin: .8rem 0; }
.readout { position: fixed; left: 0; top: 0; z-index: 2; padding: .25rem .55rem; background: var(--raised); color: var(--ink); border: 1px solid var(--phase-edge); border-radius: 3px; font-size: .8rem; white-space: pre; pointer-events: none; }
footer { margin-top: 3rem; padding-top: .8rem; padding-bottom: 2.5rem; }
footer p { border-top: 1px solid var(--line); padding-top: .8rem; max-width: none; }

@media (max-width: 62rem) { .figures { grid-template-columns: repeat(3, minmax(0, 1fr)); } }
@media (max-width: 44rem) {
  .page-head, main, footer { padding-left: 1rem; padding-right: 1rem; }
  .verdict { padding-top: 1rem; }
  .figures { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 1.1rem 1rem; }
  .row { grid-template-columns: minmax(0, 1fr); }
  .level-name { text-anchor: start; transform: translate(2px, -2px); }
  .axis-row .label, .odd, .bar-name, .annotation .why { display: none; }
  .series-name, .numbers { display: inline; }
  .numbers { margin-left: .6rem; }
  .node-row .label { justify-content: start; min-height: 0; margin-top: .25rem; font-size: .8rem; }
  .latency-row, .gap-row { margin-top: .9rem; }
  table, tbody, tr, td, caption { display: block; width: 100%; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tr { padding: .5rem 0; border-bottom: 1px solid var(--line); }
  td:not(.numeric) > div, td.code:not(.numeric) > div { min-width: 0; }
  td, td.numeric, td.numeric + td:not(.numeric) { display: grid; grid-template-columns: 7.5rem minmax(0, 1fr); gap: .75rem; padding: .12rem 0; border: 0; text-align: left; white-space: normal; }
  td::before { content: attr(data-head); color: var(--muted); font: .87rem/1.6 system-ui, sans-serif; }
  td:has(> div:empty) { display: none; }
}
@media print {
  :root { --page: #fff; }
  html { font-size: 11px; }
  nav { display: none; }
  main, footer, .page-head { max-width: none; padding: 0; }
  details::details-content { content-visibility: visible; display: block; block-size: auto; }
  .row, tr, .figures > div { break-inside: avoid; }
  h2, h3, caption { break-after: avoid; }
  * { print-color-adjust: exact; }
}
`;

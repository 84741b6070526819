/**
 * What the page does beyond being read: a readout under the pointer, tables ordered by their heads, folded parts kept open
 * across the renewals of a running report. Without it nothing is missing. The page's policy lets this text run and no
 * other, by its SHA-256 (base64); a test tells the new one when the text changes.
 */
export const scriptHash = '6j+q0yJ6xVubF2KC9ujtv8IU7E0tmttQZvkbHskUw5o=';

export const script = String.raw`
(() => {
  const data = JSON.parse(document.getElementById('report-data').textContent);
  const series = new Map((data.probe ? data.probe.series : []).map((s) => [s.shard + '|' + s.operation + '|' + s.client, s]));
  const ms = (v) => v >= 1000 ? (v / 1000).toFixed(1) + ' s' : v >= 10 ? Math.round(v) + ' ms' : v.toFixed(v < 1 ? 2 : 1) + ' ms';
  const readout = document.createElement('div');
  readout.className = 'readout';
  readout.hidden = true;
  document.body.append(readout);

  const timeAt = (knots, x) => {
    for (let i = 1; i < knots.length; i++) {
      const [a, b] = [knots[i - 1], knots[i]];
      if (x <= b[1]) return a[0] + (x - a[1]) / (b[1] - a[1] || 1) * (b[0] - a[0]);
    }
    return knots[knots.length - 1][0];
  };
  document.addEventListener('pointermove', (event) => {
    const plot = event.target instanceof Element ? event.target.closest('svg.latency') : null;
    const one = plot && series.get(plot.dataset.series);
    if (!one || one.seconds.length === 0) { readout.hidden = true; return; }
    const box = plot.getBoundingClientRect();
    const at = timeAt(JSON.parse(plot.closest('[data-scale]').dataset.scale), (event.clientX - box.left) / box.width) / 1000;
    let best = one.seconds[0];
    for (const s of one.seconds) if (Math.abs(s.t + 0.5 - at) < Math.abs(best.t + 0.5 - at)) best = s;
    readout.textContent = new Date(best.t * 1000).toISOString().slice(11, 19) + '  p50 ' + ms(best.p50) + '  p99 ' + ms(best.p99) +
      '  max ' + ms(best.max) + '  ' + best.ok + ' ok' + (best.failed ? ', ' + best.failed + ' failed' : '');
    readout.hidden = false;
    const left = Math.min(event.clientX + 14, document.documentElement.clientWidth - readout.offsetWidth - 8);
    readout.style.transform = 'translate(' + Math.max(8, left) + 'px,' + (event.clientY + 18) + 'px)';
  });

  const valueOf = (row, i) => {
    const cell = row.cells[i];
    return cell.dataset.sort === undefined ? cell.textContent.trim() : Number(cell.dataset.sort);
  };
  for (const table of document.querySelectorAll('table[data-sortable]')) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, i) => {
      const button = document.createElement('button');
      button.type = 'button';
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener('click', () => {
        const down = head.getAttribute('aria-sort') === 'ascending';
        for (const other of heads) other.removeAttribute('aria-sort');
        head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
        const rows = [...table.tBodies[0].rows].sort((a, b) => {
          const [x, y] = [valueOf(a, i), valueOf(b, i)];
          const order = typeof x === 'number' && typeof y === 'number' ? x - y : String(x).localeCompare(String(y), 'en', { numeric: true });
          return down ? -order : order;
        });
        table.tBodies[0].append(...rows);
      });
    });
  }

  const key = 'redis-rollout ' + data.status.workflowId + ' ';
  for (const part of document.querySelectorAll('details[id]')) {
    try {
      const kept = sessionStorage.getItem(key + part.id);
      if (kept) part.open = kept === 'open';
      part.addEventListener('toggle', () => sessionStorage.setItem(key + part.id, part.open ? 'open' : 'closed'));
    } catch { /* storage is refused: parts fold again at each renewal */ }
  }
  const unfold = () => {
    const part = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (part instanceof HTMLDetailsElement) part.open = true;
  };
  addEventListener('hashchange', unfold);
  unfold();
})();
`;

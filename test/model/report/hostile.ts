import type { ReportData } from '../../../model/report.js';
import { sampleReport } from './sample.js';

export const hostile = '"><img src=x onerror="window.owned=1"></script><!--';

/** A report in which every free text is an attack: names, comments, reasons, keys, directives. */
export function hostileReport(): ReportData {
  const fixed = new Set(['state', 'kind', 'role', 'decision', 'phase', 'operation', 'client', 'mode', 'result']);
  const instant = /^\d{4}-\d\d-\d\dT/;
  const poison = (value: unknown, key = ''): unknown => {
    if (typeof value === 'string') return fixed.has(key) || instant.test(value) ? value : `${value}${hostile}`;
    if (Array.isArray(value)) return value.map((one) => poison(one, key));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, poison(v, k)]));
  };
  const data = sampleReport({ outcome: 'stopped' });
  data.probe?.ledger?.examples.push({ key: 'k\u0000\u001b\u202e', type: 'string', expected: 'a', found: '\ud800' });
  data.configuration.push({
    node: '10.20.0.11:6379',
    kind: 'changed',
    directive: 'maxmemory',
    before: '1gb',
    after: '0',
  });
  const verified = data.verify[0];
  if (verified) Object.assign(verified, { different: 1, examples: [{ key: 'k\u0000', what: 'value' }] });
  return poison(data) as ReportData;
}

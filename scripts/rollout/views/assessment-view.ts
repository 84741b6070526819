import type { AssessmentDocument } from '../../../model/assessment/document.js';
import { sectionsOf, type Block } from '../../../model/assessment/sections.js';
import { wrap, type Paint } from '../terminal.js';
import { columns } from './columns.js';

/** Sections whose tables are for the document, and too wide and long for a terminal. */
const inTheDocument = new Set(['Configuration', 'On the way', 'Way back']);

/** What a person at a terminal wants to know first; the whole is in the page and in `--json`. */
export function assessmentView(
  document: AssessmentDocument,
  { paint, width }: { paint: Paint; width: number },
): string[] {
  const sections = sectionsOf(document).filter(({ title }) => !inTheDocument.has(title));
  return sections.flatMap(({ title, blocks }, i) => [
    ...(i === 0 ? [] : ['', paint('bold', title)]),
    ...(title === 'Findings'
      ? findings(document, { paint, width })
      : blocks.flatMap((block) => lines(block, i === 0 ? 0 : 2, width))),
  ]);
}

function findings({ findings: all }: AssessmentDocument, { paint, width }: { paint: Paint; width: number }): string[] {
  const colour = { blocker: 'red', action: 'yellow', note: 'dim' } as const;
  if (all.length === 0) return ['  None.'];
  return all.flatMap(({ severity, subject, text, next, concerns }) => [
    `  ${paint(colour[severity], severity.padEnd(8))} ${subject}`,
    ...wrap(`    ${text}`, width, '    '),
    ...wrap(`    ${next}`, width, '    '),
    ...(concerns.length === 0 ? [] : wrap(`    Concerns: ${concerns.join(', ')}`, width, '    ')),
  ]);
}

/** A column that is empty in every row is left out. */
function lines(block: Block, indent: number, width: number): string[] {
  if ('text' in block) return wrap(' '.repeat(indent) + block.text, width, ' '.repeat(indent));
  const used = block.head.map((_, i) => block.rows.some((row) => (row[i] ?? '') !== ''));
  const kept = (row: readonly string[]): string[] => row.filter((_, i) => used[i]);
  return block.rows.length === 0 ? [] : columns([kept(block.head), ...block.rows.map(kept)], { width, indent });
}

import type { AuditEntry } from '../../../model/audit/entry.js';
import type { CheckedTrail, AuditFinding } from '../../../model/audit/verify.js';
import { formatMoment } from '../../../model/duration.js';
import { columns } from './columns.js';

/** Every entry in one line; seals are told by their number alone. */
export function auditView(
  entries: readonly AuditEntry[],
  { deployment, target, width }: { deployment: string; target: string; width: number },
): string[] {
  if (entries.length === 0) return [`Nothing of ${deployment} is on record in ${target}.`];
  const rows = entries.map(({ n, at, kind, by = '', shard, node, text }) => [
    ...[String(n), formatMoment(at), kind, by],
    [shard, node].filter((it) => it !== undefined).join(' '),
    text.replaceAll('\n', ' '),
  ]);
  return columns([['entry', 'when', 'kind', 'by', 'where', 'what'], ...rows], { width, indent: 0 });
}

export interface Verified extends Pick<CheckedTrail, 'head' | 'findings' | 'seals' | 'signed'> {
  entries: number;
  /** Operations that Temporal still knows and that were compared with it, and those that it has forgotten. */
  compared?: { runs: number; forgotten: number };
}

export function verifiedView(what: string, { entries, head, findings, seals, signed, compared }: Verified): string[] {
  const how = [
    `${entries} entries in ${seals} sealed batches, the signatures of ${signed} verified`,
    ...(compared
      ? [
          `${compared.runs} operations compared with Temporal’s own history` +
            (compared.forgotten > 0 ? `, ${compared.forgotten} are older than what it keeps` : ''),
        ]
      : []),
  ];
  const said = how.join('; ');
  if (findings.length > 0) return [`${what}: ${findings.length} findings in ${said}`, ...findings.map(findingText)];
  return [`${what}: nothing was altered, removed, put in or moved: ${said}.`, `Head: entry ${head.n}, ${head.hash}`];
}

const findingText = ({ line, problem }: AuditFinding): string => `  line ${line}: ${problem}`;

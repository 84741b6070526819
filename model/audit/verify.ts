import { z } from 'zod';
import { auditEntry, GENESIS, hashOf, identityOf, type AuditEntry, type AuditEvent, type AuditHead, type Digest } from './entry.js'; // prettier-ignore

/** One thing that is not as it was written. */
export interface AuditFinding {
  /** Of the trail, from 1. */
  line: number;
  problem: string;
}

export interface CheckedTrail {
  /** Lines that could be read, in the order in which they stand. */
  entries: AuditEntry[];
  head: AuditHead;
  findings: AuditFinding[];
  /** Batches, and how many of them are signed. */
  seals: number;
  signed: number;
}

interface TrailChecks {
  digest: Digest;
  /** Is it the signature of this hash? `undefined` where its key is not known here. */
  verify?: (hash: string, signature: string, key: string) => boolean | undefined;
}

const signature = z.object({ signature: z.string(), key: z.string() });

/**
 * Is each line as it was written, and does each follow the one before? Whoever changes a line has to make every hash behind
 * it anew; that this was not done is what seals that are signed prove, and heads that were kept elsewhere.
 */
export function checkTrail(lines: readonly string[], { digest, verify }: TrailChecks): CheckedTrail {
  const checked: CheckedTrail = { entries: [], head: GENESIS, findings: [], seals: 0, signed: 0 };
  const find = (line: number, problem: string): void => void checked.findings.push({ line, problem });
  let sealedUntil = 0;
  for (const [i, text] of lines.entries()) {
    const line = i + 1;
    const entry = read(text);
    if (!entry) {
      find(line, 'it is no entry of a trail');
      continue;
    }
    const whole = hashOf(entry, digest) === entry.hash;
    if (!whole) find(line, `altered: entry ${entry.n} is not what its hash was made of`);
    const broken = linkProblem(checked, entry);
    if (broken !== undefined) find(line, broken);
    if (entry.kind === 'seal') {
      checked.seals++;
      sealedUntil = line;
      const given = signature.safeParse(entry.evidence);
      if (given.success) {
        const holds = verify?.(entry.previous, given.data.signature, given.data.key);
        if (holds === false) find(line, `the signature of entry ${entry.n} is not of what stands before it`);
        if (holds === true) checked.signed++;
      } else if (checked.signed > 0)
        find(line, `entry ${entry.n} seals without a signature, and those before it have one`);
    }
    checked.entries.push(entry);
    checked.head = { n: entry.n, hash: entry.hash };
  }
  if (lines.length > sealedUntil)
    find(sealedUntil + 1, `appended: nothing from here on is sealed (${lines.length - sealedUntil} lines)`);
  return checked;
}

function read(text: string): AuditEntry | undefined {
  try {
    return auditEntry.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function linkProblem({ head }: CheckedTrail, { n, previous }: AuditEntry): string | undefined {
  if (n === head.n + 1)
    return previous === head.hash
      ? undefined
      : `it was written behind another entry ${head.n} than the one that stands before it`;
  if (n > head.n + 1)
    return n === head.n + 2
      ? `removed: entry ${n - 1} is missing`
      : `removed: entries ${head.n + 1} to ${n - 1} are missing`;
  return `out of order: entry ${n} stands behind entry ${head.n}`;
}

/** What a run of Temporal's says of an operation, for comparison with what the trail says of it. */
export interface Witness {
  run: string;
  /** Everything that is to be on record of it by now. */
  events: readonly AuditEvent[];
  ended: boolean;
  /** How far the trail reached when the workflow heard of it last. */
  head?: AuditHead;
}

/** What a trail says of a run, and Temporal does not; or Temporal, and the trail does not. */
export function compareWith({ run, events, ended, head }: Witness, entries: readonly AuditEntry[]): AuditFinding[] {
  const known = new Set(events.map(identityOf));
  const onRecord = entries.map((entry, i) => ({ entry, line: i + 1 })).filter(({ entry }) => entry.run === run);
  const findings = onRecord
    .filter(({ entry }) => entry.kind !== 'seal' && !known.has(identityOf(entry)))
    .map(({ entry, line }) => ({ line, problem: `entry ${entry.n} is not in Temporal's history of run ${run}` }));
  const last = onRecord.at(-1)?.line ?? entries.length;
  // One that runs may have gone on since the trail was read.
  if (head && (ended || head.n <= entries.length) && entries[head.n - 1]?.hash !== head.hash)
    findings.push({
      line: Math.min(head.n, entries.length),
      problem:
        head.n > entries.length
          ? `removed: the trail ends at entry ${entries.length}, and Temporal was told of entry ${head.n}`
          : `entry ${head.n} is another than the one that Temporal was told of`,
    });
  if (!ended) return findings;
  const there = new Set(onRecord.map(({ entry }) => identityOf(entry)));
  const missing = events.filter((event) => !there.has(identityOf(event)));
  return [
    ...findings,
    ...missing.map(({ at, text }) => ({ line: last, problem: `missing behind it: ${at} ${text} (run ${run})` })),
  ];
}

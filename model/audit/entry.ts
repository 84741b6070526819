import { z } from 'zod';

const hash = z.string().regex(/^[0-9a-f]{64}$/);

/** What kind of thing is on record; `seal` ends each batch that was written at once. */
const auditKinds = [
  'begun',
  'phase',
  'act',
  'check',
  'gate',
  'approval',
  'control',
  'hook',
  'note',
  'failure',
  'ended',
  'seal',
] as const;

const auditEvent = z.strictObject({
  deployment: z.string(),
  /** Id of the workflow whose operation it is of, and that operation's run. */
  operation: z.string(),
  run: z.string(),
  /** When, as the workflow's clock had it; of something that took time, when it began. */
  at: z.string(),
  until: z.string().optional(),
  kind: z.enum(auditKinds),
  /** Who: a person as they named themselves, or `policy`. */
  by: z.string().optional(),
  shard: z.string().optional(),
  node: z.string().optional(),
  text: z.string(),
  /** What it rested on, or what was found. */
  evidence: z.record(z.string(), z.unknown()).optional(),
});

/** One line of a trail. */
export const auditEntry = auditEvent.extend({
  /** Its place in the deployment's trail, from 1. */
  n: z.int().min(1),
  /** Hash of the line before it; of the first, `GENESIS`. */
  previous: hash,
  /** SHA-256 of all of the above, as `canonical` writes it. */
  hash,
});

export type AuditEvent = z.output<typeof auditEvent>;
export type AuditEntry = z.output<typeof auditEntry>;

/** How far a trail reaches: the number and the hash of its last line. */
export interface AuditHead {
  n: number;
  hash: string;
}

export const GENESIS: AuditHead = { n: 0, hash: '0'.repeat(64) };

/** SHA-256 of a text's UTF-8, in hex. */
export type Digest = (text: string) => string;

/**
 * The one way to write a value: as RFC 8785 (JSON Canonicalization Scheme) has it, keys sorted by their UTF-16 units and no
 * space in between. What is undefined is left out.
 */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value ?? null);
  const fields = Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, field]) => `${JSON.stringify(key)}:${canonical(field)}`);
  return `{${fields.join(',')}}`;
}

/** Of all of it but the hash that it has already. */
export const hashOf = (entry: Omit<AuditEntry, 'hash'> & { hash?: string }, digest: Digest): string =>
  digest(canonical({ ...entry, hash: undefined }));

/** The lines that these events are behind a trail's last one. */
export function extend(head: AuditHead, events: readonly AuditEvent[], digest: Digest): AuditEntry[] {
  let last = head;
  return events.map((event) => {
    const entry = { ...event, n: last.n + 1, previous: last.hash };
    last = { n: entry.n, hash: hashOf(entry, digest) };
    return { ...entry, hash: last.hash };
  });
}

/** Two of the same are one thing, told twice: what is told with it may have become more meanwhile. */
export const identityOf = ({ run, at, kind, by, shard, node, text }: AuditEvent): string =>
  canonical([run, at, kind, by ?? '', shard ?? '', node ?? '', text]);

// Somebody touches the record afterwards: a changed answer, a line that is gone, one that was put in, two that changed places.
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  canonical,
  extend,
  GENESIS,
  hashOf,
  type AuditEntry,
  type AuditEvent,
  type AuditHead,
} from '../../../model/audit/entry.js';
import { checkTrail, compareWith, type AuditFinding } from '../../../model/audit/verify.js';
import { sealVerifier } from '../../../integrations/audit-trail.js';

const digest = (text: string): string => createHash('sha256').update(text).digest('hex');
const at = (second: number): string => new Date(Date.UTC(2026, 10, 30, 8, 0, second)).toISOString();
const event = (second: number, text: string, more: Partial<AuditEvent> = {}): AuditEvent => ({
  ...{ deployment: 'orders', operation: 'redis/orders', run: 'run-1', at: at(second), kind: 'note', text },
  ...more,
});
const seal = (second: number, evidence?: Record<string, unknown>): AuditEvent =>
  event(second, 'sealed', { kind: 'seal', ...(evidence ? { evidence } : {}) });
const events = [
  event(1, 'upgrade of orders', { kind: 'begun', by: 'olu' }),
  event(2, 'start approved by ana', { kind: 'approval', by: 'ana', evidence: { plan: 'sha256:1', backups: [] } }),
  event(3, 'isolate', { kind: 'act', shard: 'shard-1', node: '10.0.0.5:6379', until: at(4) }),
  event(5, 'handover approved by ben', { kind: 'approval', by: 'ben' }),
];
const whole = (): AuditEntry[] => extend(GENESIS, [...events, seal(6)], digest);
const written = (entries: readonly AuditEntry[]): string[] => entries.map((entry) => canonical(entry));
const findings = (lines: readonly string[]): AuditFinding[] => checkTrail(lines, { digest }).findings;
const remade = (entry: AuditEntry): AuditEntry => ({ ...entry, hash: hashOf(entry, digest) });
const lineOf = (line: number, problem: string): unknown => ({
  line,
  problem: expect.stringContaining(problem) as string,
});

test('a trail as it was written has no finding, and its head is its last line', () => {
  const entries = whole();
  const { findings, head, seals, signed } = checkTrail(written(entries), { digest });
  expect({ findings, head, seals, signed }).toEqual({
    ...{ findings: [], seals: 1, signed: 0 },
    head: { n: 5, hash: entries.at(-1)?.hash },
  });
});

test('an altered entry is found at its line, whichever field of it was changed', () => {
  for (const change of [{ by: 'mallory' }, { at: at(9) }, { text: 'start rejected by ana' }, { evidence: {} }]) {
    const entries = whole();
    entries[1] = { ...(entries[1] as AuditEntry), ...change };
    expect(findings(written(entries))).toEqual([lineOf(2, 'altered: entry 2')]);
  }
});

test('one whose hash was made anew is found at the line behind it, which was written after another', () => {
  const entries = whole();
  entries[1] = remade({ ...(entries[1] as AuditEntry), by: 'mallory' });
  expect(findings(written(entries))).toEqual([lineOf(3, 'behind another entry 2')]);
});

test('a removed entry is found where it is missing, and several with their numbers', () => {
  const lines = written(whole());
  expect(findings(lines.filter((_, i) => i !== 2))).toEqual([lineOf(3, 'removed: entry 3 is missing')]);
  expect(findings(lines.filter((_, i) => i === 0 || i > 2))).toEqual([lineOf(2, 'entries 2 to 3 are missing')]);
  expect(findings(lines.slice(1))).toEqual([lineOf(1, 'removed: entry 1 is missing')]);
});

test('entries that changed places are found at the first line that is out of order', () => {
  const [a = '', b = '', c = '', ...rest] = written(whole());
  expect(findings([a, c, b, ...rest])).toEqual([
    lineOf(2, 'removed: entry 2 is missing'),
    lineOf(3, 'out of order: entry 2 stands behind entry 3'),
    lineOf(4, 'removed: entry 3 is missing'),
  ]);
});

test('an entry that was put behind the last seal is found, and so are one twice, and what is no entry', () => {
  const entries = whole();
  const head: AuditHead = { n: 5, hash: entries.at(-1)?.hash ?? '' };
  const appended = extend(head, [event(7, 'finalize approved by ben', { kind: 'approval', by: 'ben' })], digest);
  expect(findings(written([...entries, ...appended]))).toEqual([lineOf(6, 'appended: nothing from here on is sealed')]);
  const lines = written(entries);
  expect(findings([...lines.slice(0, 2), ...lines.slice(1)])).toEqual([lineOf(3, 'out of order: entry 2')]);
  expect(findings([...lines.slice(0, 2), '{"n":3}', ...lines.slice(3)])).toEqual([
    lineOf(3, 'no entry of a trail'),
    lineOf(4, 'removed: entry 3 is missing'),
  ]);
});

test('a whole trail that was made anew has other signatures than the key’s, or none', () => {
  const [own, other] = [generateKeyPairSync('ed25519'), generateKeyPairSync('ed25519')];
  const id = (key: typeof own): string => digest2(key.publicKey.export({ type: 'spki', format: 'der' })).slice(0, 16);
  const sealedBy = (key: typeof own, all: readonly AuditEvent[], claims = id(key)): AuditEntry[] => {
    const entries = extend(GENESIS, all, digest);
    const last = entries.at(-1) as AuditEntry;
    const signature = sign(null, Buffer.from(last.hash), key.privateKey).toString('base64');
    return [...entries, ...extend(last, [seal(6, { signature, key: claims })], digest)];
  };
  const pem = own.publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const verify = sealVerifier([{ pem, from: 'audit.pem' }]);
  const forged = [...events.slice(0, 3), event(5, 'handover approved by eve', { kind: 'approval', by: 'eve' })];
  const check = (entries: readonly AuditEntry[]) => checkTrail(written(entries), { digest, verify });

  expect(check(sealedBy(own, events))).toMatchObject({ findings: [], seals: 1, signed: 1 });
  expect(check(sealedBy(other, forged, id(own))).findings).toEqual([lineOf(5, 'the signature of entry 5')]);
  // With the forger's own key, or with none, it is no signature of the one that was asked for.
  expect(check(sealedBy(other, forged))).toMatchObject({ seals: 1, signed: 0 });
  const signedThenNot = sealedBy(own, events);
  const behind = extend(signedThenNot.at(-1) as AuditEntry, [event(8, 'aborted'), seal(9)], digest);
  expect(check([...signedThenNot, ...behind]).findings).toEqual([lineOf(7, 'seals without a signature')]);
});
const digest2 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

test('Temporal’s own history tells of an entry that it has nothing of, of one that is gone, and of an end that is', () => {
  const entries = whole();
  const witness = { run: 'run-1', events, ended: true, head: { n: 5, hash: entries[4]?.hash ?? '' } };
  expect(compareWith(witness, entries)).toEqual([]);
  // All hashes made anew: only somebody else's record tells.
  const forged = extend(GENESIS, [...events.slice(0, 3), event(5, 'handover approved by eve', { by: 'eve' }), seal(6)], digest); // prettier-ignore
  expect(findings(written(forged))).toEqual([]);
  expect(compareWith(witness, forged)).toEqual([
    lineOf(4, 'entry 4 is not in Temporal’s history'.replace('’', "'")),
    lineOf(5, 'another than the one that Temporal was told of'),
    lineOf(5, 'missing behind it'),
  ]);
  const cut = extend(GENESIS, [...events.slice(0, 2), seal(6)], digest);
  expect(compareWith({ ...witness, events: events.slice(0, 2) }, cut)).toEqual([
    lineOf(3, 'the trail ends at entry 3, and Temporal was told of entry 5'),
  ]);
  // Of one that runs, the trail may have been read before it went on.
  expect(compareWith({ ...witness, ended: false }, cut)).toEqual([]);
});

test('any single change of any single character of a trail is found', () => {
  const text = written(whole()).join('\n');
  fc.assert(
    fc.property(fc.nat(text.length - 1), fc.constantFrom('0', 'f', 'x', '"', ' '), (place, character) => {
      if (text[place] === character) return;
      const changed = text.slice(0, place) + character + text.slice(place + 1);
      expect(findings(changed.split('\n'))).not.toEqual([]);
    }),
    { numRuns: 500 },
  );
});

test('a value is written in one way, whatever the order in which its fields came to be', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = canonical(value);
      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      expect(canonical(JSON.parse(text))).toBe(text);
    }),
  );
  expect(canonical({ b: [1.5, 'ü'], a: { d: null, c: undefined } })).toBe('{"a":{"d":null},"b":[1.5,"ü"]}');
});

// Whoever may signal an operation answers in somebody else's name, with a signature of something else, or with none.
import { generateKeyPairSync, sign } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { answer, ask, expire, isRefused, openDesk, recordOf, type ApprovalDesk } from '../../../model/approvals.js';
import { parseDeployment } from '../../../model/deployment-file.js';
import { judgeSignature, statementToSign, type AnswerToSign, type Signing } from '../../../model/signed-answer.js';

/** By Node's own crypto: two implementations that have to agree. */
function person() {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const { x = '' } = publicKey.export({ format: 'jwk' });
  return {
    key: `ed25519:${Buffer.from(x, 'base64url').toString('hex')}`,
    sign: (it: AnswerToSign) => sign(null, Buffer.from(statementToSign(it)), privateKey).toString('hex'),
  };
}

const [ana, ben, bot] = [person(), person(), person()];
const askedAt = '2026-11-21T10:00:00.000Z';
const of = { deployment: 'orders', workflowId: 'redis/orders', run: 'run-1' };
const signing: Signing = { ...of, required: true, keys: { ana: [ana.key], ben: [ben.key], cem: [] }, chatKeys: [] };
const statement: AnswerToSign = { ...of, approval: 'handover', askedAt, decision: 'approve', by: 'ana' };

const desk = (rules: Partial<Signing> = {}): ApprovalDesk =>
  ask(
    { ...openDesk('olu', { engineering: ['ana', 'ben', 'cem'] }), signing: { ...signing, ...rules } },
    {
      approval: 'handover',
      question: 'May writes move?',
      policy: { roles: ['engineering'], quorum: 2, expires: 3_600_000, selfApproval: false },
      now: askedAt,
    },
  );

/** Why it is refused; undefined where it counts. */
function refusal(signature: string | undefined, rest: object = {}, to = desk()): string | undefined {
  const said = { by: 'ana', decision: 'approve' as const, now: '2026-11-21T10:05:00.000Z', ...rest };
  const result = answer(to, { ...said, signature });
  return isRefused(result) ? result.refused : undefined;
}

test('an answer that is signed by its own person counts, and the record has what proves it', () => {
  const signature = ana.sign(statement);
  const result = answer(desk(), { by: 'ana', decision: 'approve', signature, now: '2026-11-21T10:05:00.000Z' });
  expect(isRefused(result) ? result : recordOf(result, 'handover')).toMatchObject({
    signed: true,
    state: 'open',
    answers: [{ by: 'ana', signed: { key: ana.key, signature } }],
  });
});

test('a signature is of one answer to one asking of one run, and serves for nothing else', () => {
  const other: { [Field in keyof AnswerToSign]-?: string } = {
    deployment: 'payments',
    workflowId: 'redis/payments',
    run: 'run-2',
    approval: 'finalize',
    askedAt: '2026-11-21T09:00:00.000Z',
    decision: 'reject',
    by: 'ben',
    comment: 'and the moon',
  };
  expect(refusal(ana.sign(statement))).toBeUndefined();
  for (const [field, value] of Object.entries(other))
    expect(refusal(ana.sign({ ...statement, [field]: value })), field).toMatch(
      /the signature of ana's answer to 'handover' is by no key that counts for ana, or of something else/,
    );
});

test('no field can be read as part of another', () => {
  const text = fc.string({ unit: 'binary', maxLength: 12 });
  const one = fc.record({
    ...{ deployment: text, workflowId: text, run: text, approval: text, askedAt: text, by: text, comment: text },
    decision: fc.constantFrom('approve' as const, 'reject' as const),
  });
  fc.assert(
    fc.property(one, one, (a, b) => {
      fc.pre(JSON.stringify(a) !== JSON.stringify(b));
      expect(statementToSign(a)).not.toBe(statementToSign(b));
    }),
  );
  expect(statementToSign({ ...statement, comment: '' })).not.toBe(statementToSign(statement));
});

test('neither somebody else’s key, nor a changed signature, nor bytes that are none', () => {
  const good = ana.sign(statement);
  expect(refusal(ben.sign(statement))).toMatch(/by no key that counts for ana/);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 511 }), (bit) => {
      const bytes = Buffer.from(good, 'hex');
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(refusal(bytes.toString('hex'))).toMatch(/by no key/);
    }),
    { numRuns: 40 },
  );
  for (const none of ['', '00', 'zz', '0'.repeat(128), 'f'.repeat(128)])
    expect(refusal(none), none).toMatch(/by no key/);
});

test('without a signature: refused where it is asked for, and told the command that signs', () => {
  expect(refusal(undefined)).toBe(
    "ana's answer to 'handover' is not signed, and policy.approvals.signed asks for that: rollout approve orders --approval handover --as ana --key file:PATH",
  );
  expect(refusal(undefined, {}, desk({ required: false }))).toBeUndefined();
});

test('a bad signature is refused where none is needed, too: somebody meant something by it', () => {
  expect(refusal('00'.repeat(64), {}, desk({ required: false }))).toMatch(/by no key/);
  expect(refusal(ana.sign(statement), {}, desk({ required: false, keys: {} }))).toMatch(/no key of ana stands in/);
});

test('what was signed for a question that has expired does not count for the one that stands anew', () => {
  const anew = expire(desk(), '2026-11-21T11:30:00.000Z');
  const late = { now: '2026-11-21T11:31:00.000Z' };
  expect(refusal(ana.sign(statement), late, anew)).toMatch(/as it was asked at 2026-11-21T11:30/);
  expect(refusal(ana.sign(statement), { ...late, askedAt }, anew)).toBe(
    "this answers 'handover' as it was asked at 2026-11-21T10:00:00.000Z, and it was asked anew at 2026-11-21T11:30:00.000Z: answer that",
  );
  expect(refusal(ana.sign({ ...statement, askedAt: '2026-11-21T11:30:00.000Z' }), late, anew)).toBeUndefined();
});

test('the key of chat signs for whoever it recognised, where the policy names it, and that is on record', () => {
  const byBot = bot.sign({ ...statement, by: 'cem' });
  expect(refusal(byBot, { by: 'cem' })).toMatch(/by no key|no key of cem/);
  const result = answer(desk({ chatKeys: [bot.key] }), {
    ...{ by: 'cem', decision: 'approve', signature: byBot, now: '2026-11-21T10:05:00.000Z' },
  });
  expect(isRefused(result) ? result : recordOf(result, 'handover')?.answers).toMatchObject([
    { by: 'cem', signed: { key: bot.key, recognisedBy: 'chat' } },
  ]);
});

test('an operation that was begun before there were signatures goes on taking answers', () => {
  expect(judgeSignature(undefined, statement, undefined)).toEqual({});
});

const file = (policy: string): string => `name: orders
topology: cluster
seeds: ["10.0.0.4:6379"]
platform: { kind: process }
backup: { directory: /backups }
policy:
${policy.replace(/^(?=.)/gm, '  ')}`;
const problems = (policy: string): string => {
  try {
    parseDeployment(file(policy), 'orders.yaml');
    return '';
  } catch (error) {
    return (error as Error).message;
  }
};

test('a question that nobody could sign an answer to is a mistake of the file', () => {
  const roles = 'roles: { engineering: [ana, ben] }\n';
  const question = 'approvals: { signed: true, start: { roles: [engineering], quorum: 2 } }';
  expect(problems(`${roles}people: { ana: { keys: ["${ana.key}"] } }\n${question}`)).toContain(
    'policy.approvals.start.quorum: expected 1 at most: answers are to be signed, and that many people in engineering can',
  );
  const both = `people: { ana: { keys: ["${ana.key}"] }, ben: { keys: ["${ben.key}"] } }\n`;
  expect(problems(`${roles}${both}${question}`)).toBe('');
  const chat = `approvals: { signed: true, chatKeys: ["${bot.key}"], start: { roles: [engineering], quorum: 2 } }`;
  expect(problems(`${roles}people: { ana: { slack: U024BE7LH }, ben: { slack: U024BE7LJ } }\n${chat}`)).toBe('');
});

test('people who have no role, and two with one key or one Slack id, are mistakes of the file', () => {
  const roles = 'roles: { engineering: [ana, ben] }\n';
  expect(problems(`${roles}people: { anna: { keys: ["${ana.key}"] } }`)).toContain(
    "expected somebody who has a role in policy.roles (ana, ben), found 'anna'; did you mean 'ana'?",
  );
  expect(problems(`${roles}people: { ben: { keys: [ed25519:abc] } }`)).toContain(
    'policy.people.ben.keys[0]: expected ed25519: and 64 hexadecimal digits',
  );
  for (const one of ['slack: U024BE7LH', `keys: ["${ana.key}"]`])
    expect(problems(`${roles}people: { ana: { ${one} }, ben: { ${one} } }`)).toContain('expected another than ana has');
});

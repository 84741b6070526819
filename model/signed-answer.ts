import { ed25519 } from '@noble/curves/ed25519.js';
import { hexToBytes } from '@noble/curves/utils.js';
import type { Policy } from './policy.js';
import type { SignedAnswer } from './operation.js';

/** One answer to one asking of one run: all that a signature is of, so that it serves for nothing else. */
export interface AnswerToSign {
  deployment: string;
  workflowId: string;
  /** Of Temporal, of the first of the operation's runs. */
  run: string;
  approval: string;
  askedAt: string;
  decision: 'approve' | 'reject';
  by: string;
  comment?: string;
}

/** Whose signatures an operation takes, and for what. */
export interface Signing extends Pick<AnswerToSign, 'deployment' | 'workflowId' | 'run'> {
  /** Does an answer without one count? */
  required: boolean;
  /** Public keys by person, `ed25519:` and hex. */
  keys: Readonly<Record<string, readonly string[]>>;
  /** Public keys of those who may sign for whoever they have recognised: `rollout approvals`. */
  chatKeys: readonly string[];
}

/** The bytes that are signed, as text: an array, so that no field can pass for another. */
export const statementToSign = (it: AnswerToSign): string =>
  JSON.stringify([
    'redis-rollout/answer/1',
    ...[it.deployment, it.workflowId, it.run, it.approval, it.askedAt, it.decision, it.by],
    it.comment ?? null,
  ]);

export const signingOf = (
  { approvals, people = {} }: Pick<Policy, 'approvals' | 'people'>,
  of: Pick<Signing, 'deployment' | 'workflowId' | 'run'>,
): Signing => ({
  ...of,
  required: approvals.signed,
  keys: Object.fromEntries(Object.entries(people).map(([name, { keys }]) => [name, keys])),
  chatKeys: approvals.chatKeys ?? [],
});

/** Who could answer at all: with `approvals.signed` those whose signature could be checked. */
export function rolesThatCanAnswer({
  roles,
  people = {},
  approvals,
}: Pick<Policy, 'roles' | 'people' | 'approvals'>): Policy['roles'] {
  if (!approvals.signed) return roles;
  const canSign = (name: string): boolean => {
    const { keys = [], slack } = people[name] ?? {};
    return keys.length > 0 || ((approvals.chatKeys ?? []).length > 0 && slack !== undefined);
  };
  return Object.fromEntries(Object.entries(roles).map(([role, names]) => [role, names.filter(canSign)]));
}

/**
 * Is an answer signed as it has to be? In plain JavaScript, which gives the same result in each replay: so the operation
 * itself judges, and whoever may signal it can't answer for others.
 *
 * @param signature hex, 64 bytes; undefined where the answer has none
 * @returns what stands in the record, or why it is refused
 */
export function judgeSignature(
  signing: Signing | undefined,
  given: Omit<AnswerToSign, 'deployment' | 'workflowId' | 'run'>,
  signature: string | undefined,
): { signed?: SignedAnswer } | { refused: string } {
  if (!signing) return {};
  const { by, approval, askedAt, decision } = given;
  const own = signing.keys[by] ?? [];
  if (signature === undefined)
    return signing.required
      ? {
          refused: `${by}'s answer to '${approval}' is not signed, and policy.approvals.signed asks for that: rollout ${decision} ${signing.deployment} --approval ${approval} --as ${by} --key file:PATH`,
        }
      : {};
  const statement = new TextEncoder().encode(statementToSign({ ...signing, ...given }));
  const isOf = (key: string): boolean => isSignature(signature, statement, key);
  const key = own.find(isOf);
  if (key !== undefined) return { signed: { key, signature } };
  const chatKey = signing.chatKeys.find(isOf);
  if (chatKey !== undefined) return { signed: { key: chatKey, signature, recognisedBy: 'chat' } };
  return {
    refused:
      own.length === 0 && signing.chatKeys.length === 0
        ? `${by}'s answer is signed, and no key of ${by} stands in policy.people of the deployment file as this operation has read it`
        : `the signature of ${by}'s answer to '${approval}' is by no key that counts for ${by}, or of something else: expected one of '${decision}' to the question as it was asked at ${askedAt}`,
  };
}

/** By RFC 8032 to the letter: what other libraries take or leave is left. */
function isSignature(signature: string, statement: Uint8Array, key: string): boolean {
  try {
    const publicKey = hexToBytes(key.slice('ed25519:'.length));
    return ed25519.verify(hexToBytes(signature), statement, publicKey, { zip215: false });
  } catch {
    // Bytes that are no signature at all.
    return false;
  }
}

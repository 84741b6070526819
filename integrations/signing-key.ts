import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { RolloutError } from '../model/failures.js';
import type { ApprovalRecord, ApproveInput, OperationStatus } from '../model/operation.js';
import { statementToSign } from '../model/signed-answer.js';
import { resolveSecret } from './secrets.js';

/** A private key of Ed25519, which answers to questions are signed with. */
export interface SigningKey {
  /** As policy.people and policy.approvals.chatKeys name it: `ed25519:` and 64 hexadecimal digits. */
  publicKey: string;
  /** @returns hex */
  sign(text: string): string;
}

/**
 * The key that a reference names: PEM, as `rollout key` and `openssl genpkey -algorithm ed25519` write it.
 *
 * @param reference `env:NAME` or `file:PATH`
 * @throws RolloutError Unauthorized, BadInput; its message names the reference, never the content
 */
export async function readSigningKey(reference: string): Promise<SigningKey> {
  const pem = await resolveSecret(reference);
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    throw new RolloutError('BadInput', `${reference}: expected a private key in PEM, as \`rollout key\` writes it`);
  }
  if (key.asymmetricKeyType !== 'ed25519')
    throw new RolloutError(
      'BadInput',
      `${reference}: expected a key of Ed25519, found ${key.asymmetricKeyType ?? '?'}`,
    );
  return {
    publicKey: publicKeyOf(key),
    sign: (text) => sign(null, Buffer.from(text), key).toString('hex'),
  };
}

/**
 * Makes a key, readable for its owner alone.
 *
 * @returns the public key
 * @throws RolloutError BadInput where the file is there already: what was signed with it would count no more
 */
export async function makeSigningKey(file: string): Promise<string> {
  const { privateKey } = generateKeyPairSync('ed25519');
  try {
    await writeFile(file, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600, flag: 'wx' });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new RolloutError(
      'BadInput',
      code === 'EEXIST' ? `${file}: expected no file, found one; it is left as it is` : `${file}: ${message}`,
    );
  }
  return publicKeyOf(privateKey);
}

function publicKeyOf(key: KeyObject): string {
  const { x = '' } = createPublicKey(key).export({ format: 'jwk' });
  return `ed25519:${Buffer.from(x, 'base64url').toString('hex')}`;
}

/**
 * An answer with its signature, to the question as the status has it now.
 *
 * @throws RolloutError BadInput where it is not said which question is meant
 */
export function signAnswer(
  status: Pick<OperationStatus, 'deployment' | 'workflowId' | 'run' | 'approvals'>,
  said: Pick<ApproveInput, 'by' | 'approval' | 'comment'>,
  decision: 'approve' | 'reject',
  key: SigningKey,
): ApproveInput {
  const { deployment, workflowId, run } = status;
  if (run === undefined)
    throw new RolloutError(
      'BadInput',
      `${workflowId} was begun by a worker that knows no signatures: answer without --key`,
    );
  const { approval, askedAt } = questionOf(status.approvals, said.approval);
  const { by, comment } = said;
  const words = { by, ...(comment === undefined ? {} : { comment }) };
  const statement = statementToSign({ ...{ deployment, workflowId, run, approval, askedAt, decision }, ...words });
  return { ...words, approval, askedAt, signature: key.sign(statement) };
}

function questionOf(records: readonly ApprovalRecord[], approval: string | undefined): ApprovalRecord {
  const open = records.filter(({ state }) => state === 'open');
  // One that is decided is answered again where the reply was lost.
  const meant =
    approval === undefined
      ? open.length === 0
        ? records.slice(-1)
        : open
      : records.filter((it) => it.approval === approval).slice(-1);
  const [only] = meant;
  if (only && meant.length === 1) return only;
  const names = open.map((it) => `'${it.approval}'`).join(', ');
  throw new RolloutError(
    'BadInput',
    approval === undefined && meant.length > 1
      ? `approval: several are open, expected one of ${names}`
      : `approval: ${approval === undefined ? 'no question was asked' : `nobody asked for '${approval}'`}; ${names === '' ? 'no approval is open' : `open: ${names}`}`,
  );
}

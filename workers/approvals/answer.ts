import { createHash } from 'node:crypto';
import { WorkflowNotFoundError, WorkflowUpdateFailedError, type Client, type Connection } from '@temporalio/client';
import { loadDeployment } from '../../integrations/deployment-files.js';
import { readSigningKey } from '../../integrations/signing-key.js';
import { addressOfOperation } from '../../model/names.js';
import { statementToSign, type AnswerToSign } from '../../model/signed-answer.js';

/** An answer from chat or from elsewhere, by somebody who was recognised there. */
export interface AnswerFromChat extends Omit<AnswerToSign, 'workflowId'> {
  /** Who asks; left out: the deployment's own operation. */
  operation?: 'staging' | undefined;
  /** Of the person's own, where it came with one. */
  signature?: string;
}

export type Answered = { done: string } | { refused: string } | { unanswered: string };

export interface AnswerContext {
  client: Client;
  connection: Connection;
  deployments: string;
  /** Reference of the key that answers are signed with, where whoever sends them was recognised by us. */
  key?: string | undefined;
}

/** A worker answers within a fraction of a second, ms. */
const ANSWER_WITHIN_MS = 8000;

/**
 * Hands an answer to its operation, which judges it. Whether the person has a role still is looked up here, in the deployment file
 * as it is now: the operation knows the file as it was when it began.
 *
 * @param recognised was the person recognised by us, so that our key may sign?
 * @param deliveryId of what carried it: the same where that is sent twice, and another where the person tries again
 */
export async function giveAnswer(
  { client, connection, deployments, key }: AnswerContext,
  answer: AnswerFromChat,
  recognised: boolean,
  deliveryId: string,
): Promise<Answered> {
  const { deployment, operation = 'upgrade', run, approval, askedAt, decision, by, comment, signature } = answer;
  const { policy } = await loadDeployment(deployment, deployments);
  if (!Object.values(policy.roles).some((people) => people.includes(by)))
    return { refused: `${by} has no role in policy.roles of ${deployment} any more` };
  const { name, workflowId } = addressOfOperation({ deployment, operation });
  const words = { by, ...(comment === undefined ? {} : { comment }) };
  // Where nobody asks for a signature, one by a key that the file does not name would be refused.
  const signs = policy.approvals.signed && recognised && signature === undefined;
  const ours = signs && key !== undefined ? await readSigningKey(key) : undefined;
  const statement = { deployment, workflowId, run, approval, askedAt, decision, ...words };
  const signed = signature ?? ours?.sign(statementToSign(statement));
  const args = [{ ...words, approval, askedAt, ...(signed === undefined ? {} : { signature: signed }) }];
  const handle = client.workflow.getHandle(workflowId, undefined, { firstExecutionRunId: run });
  try {
    const done = await connection.withDeadline(Date.now() + ANSWER_WITHIN_MS, () =>
      // Sent twice it is one update. Tried again it is another: Temporal would repeat what it was refused with before.
      handle.executeUpdate<string, [unknown]>(decision, {
        args: args as [unknown],
        updateId: idOf(answer, deliveryId),
      }),
    );
    return { done };
  } catch (error) {
    if (error instanceof WorkflowUpdateFailedError)
      return { refused: error.cause instanceof Error ? error.cause.message : error.message };
    if (error instanceof WorkflowNotFoundError)
      return { refused: `the operation that asked this has ended: rollout status ${name}` };
    const reason = error instanceof Error ? error.message : String(error);
    return {
      unanswered: `no answer from Temporal or a worker (${reason}); nothing was recorded as far as is known, try again`,
    };
  }
}

const idOf = (answer: AnswerFromChat, deliveryId: string): string =>
  createHash('sha256')
    .update(JSON.stringify([deliveryId, answer]))
    .digest('hex');

import { Webhook } from 'standardwebhooks';
import type { DestinationOf } from '../../model/notify-policy.js';
import { resolveSecret } from '../secrets.js';
import { webhookHeaders } from '../webhook-headers.js';
import type { Channel, Outgoing } from './channel.js';
import { postJson } from './post-json.js';
import { Undelivered } from './undelivered.js';

/** What is sent: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md */
export function webhookBody({ event, message, status, run }: Outgoing): object {
  const { deployment, workflowId, operation, from, to, phase, progress } = status;
  const { kind, id, at, urgent, shard, question, answer } = event;
  return {
    type: `rollout.${kind}`,
    timestamp: at,
    data: {
      ...{ deployment, workflowId, run, id, urgent, ...message },
      ...(shard === undefined ? {} : { shard }),
      ...(question ? { question } : {}),
      ...(answer ? { answer } : {}),
      status: { operation, from, to, phase, progress },
    },
  };
}

/** An address of anybody's, signed so that it knows who sends. */
export function webhookChannel({ url, secret }: DestinationOf<'webhook'>): Channel {
  return {
    async send(outgoing) {
      const body = JSON.stringify(webhookBody(outgoing));
      const headers = webhookHeaders(await webhookOf(secret), { id: outgoing.messageId, at: new Date(), body });
      await postJson(`the webhook at ${new URL(url).host}`, url, body, headers);
    },
  };
}

/** As the specification has it: shorter ones could be guessed. */
const LEAST_BYTES = 24;

/** @throws Undelivered naming the reference, where it holds no such secret */
async function webhookOf(reference: string): Promise<Webhook> {
  const secret = await resolveSecret(reference);
  const [, base64 = ''] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret) ?? [];
  if (Buffer.from(base64, 'base64').length < LEAST_BYTES)
    throw new Undelivered(`${reference}: expected whsec_ and at least ${LEAST_BYTES} bytes in base64`);
  return new Webhook(secret);
}

/**
 * Is this what it says it is? Signature and time are checked: what is older than five minutes, or of the future, is not.
 *
 * @returns the body, or undefined where it is forged, changed or too old
 */
export async function verifiedBody(reference: string, body: string, headers: Record<string, string>): Promise<unknown> {
  const webhook = await webhookOf(reference);
  try {
    return webhook.verify(body, headers);
  } catch {
    return undefined;
  }
}

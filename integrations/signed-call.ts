import { Webhook } from 'standardwebhooks';
import { formatDuration } from '../model/duration.js';
import { withoutSecrets } from './own-command.js';
import { webhookHeaders } from './webhook-headers.js';

/** Of what is answered, the beginning is kept: it goes onto record. */
const KEPT = 200;

interface SignedCall {
  url: string;
  body: unknown;
  /** The same for each attempt at the same thing. */
  key: string;
  /** Bearer token, resolved. */
  token?: string;
  /** What it is signed with, resolved: `whsec_` and base64, or any text. */
  secret?: string;
  /** ms */
  timeout: number;
  signal: AbortSignal;
  /** Unix ms. */
  now: number;
}

interface CallEnd {
  /** Why it is no success; absent with an answer of 2xx. */
  problem?: string;
  /** The beginning of the answer. */
  said: string;
  tookMs: number;
}

/**
 * One POST, signed as Standard Webhooks has it (`webhook-id`, `webhook-timestamp`, `webhook-signature`), with the key as
 * `idempotency-key` too.
 *
 * @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 * @throws the signal's reason, once that is aborted
 */
export async function callSigned(call: SignedCall): Promise<CallEnd> {
  const { url, key, token, secret, timeout, signal } = call;
  const begun = performance.now();
  const body = JSON.stringify(call.body);
  const late = AbortSignal.timeout(timeout);
  const end = (problem: string | undefined, said: string): CallEnd => ({
    ...(problem === undefined ? {} : { problem }),
    said: withoutSecrets(said, [token ?? '', secret ?? ''])
      .trim()
      .slice(0, KEPT),
    tookMs: Math.round(performance.now() - begun),
  });
  try {
    const response = await fetch(url, {
      method: 'POST',
      body,
      // What it leads to is somewhere that nobody named.
      redirect: 'manual',
      headers: {
        ...{ 'content-type': 'application/json', 'idempotency-key': key },
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(secret === undefined ? {} : webhookHeaders(webhookOf(secret), { id: key, at: new Date(call.now), body })),
      },
      signal: AbortSignal.any([signal, late]),
    });
    const said = await response.text();
    return end(response.ok ? undefined : `HTTP ${response.status}`, said);
  } catch (error) {
    signal.throwIfAborted();
    if (late.aborted) return end(`no answer within ${formatDuration(timeout)}`, '');
    const { message, cause } = error as Error;
    return end(cause instanceof Error ? cause.message || message : message, '');
  }
}

function webhookOf(secret: string): Webhook {
  const key = secret.startsWith('whsec_') ? Buffer.from(secret.slice('whsec_'.length), 'base64') : Buffer.from(secret);
  return new Webhook(key, { format: 'raw' });
}

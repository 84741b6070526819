import { createHmac, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { COMMENT, type ButtonValue } from './slack-blocks.js';

/** Older than this is a replay: https://docs.slack.dev/authentication/verifying-requests-from-slack */
const OLDEST_MS = 300_000;

/**
 * Did Slack send this, and just now?
 *
 * @param body as it came, not parsed
 * @param now Unix ms
 */
export function isFromSlack(
  signingSecret: string,
  body: string,
  { timestamp, signature }: { timestamp: string | undefined; signature: string | undefined },
  now: number,
): boolean {
  if (timestamp === undefined || signature === undefined || !/^\d+$/.test(timestamp)) return false;
  if (Math.abs(now - Number(timestamp) * 1000) > OLDEST_MS) return false;
  const expected = Buffer.from(
    `v0=${createHmac('sha256', signingSecret).update(`v0:${timestamp}:${body}`).digest('hex')}`,
  );
  const found = Buffer.from(signature);
  return found.length === expected.length && timingSafeEqual(found, expected);
}

/** Somebody pressed a button of ours. */
export interface Pressed extends ButtonValue {
  decision: 'approve' | 'reject';
  comment?: string;
  /** Slack's id of who did. */
  user: string;
  channel: string;
  /** The same where Slack sends it twice. */
  pressId: string;
}

const buttonValue = z.strictObject({
  deployment: z.string(),
  operation: z.literal('staging').optional(),
  run: z.string(),
  approval: z.string(),
  askedAt: z.string(),
});

const interaction = z.object({
  type: z.literal('block_actions'),
  user: z.object({ id: z.string() }),
  channel: z.object({ id: z.string() }),
  actions: z.array(z.object({ action_id: z.string(), value: z.string().optional(), action_ts: z.string() })).min(1),
  state: z
    .object({ values: z.record(z.string(), z.record(z.string(), z.object({ value: z.string().nullish() }))) })
    .optional(),
});

/** @returns undefined of what is no answer to a question of ours: links are interactions, too */
export function pressedIn(payload: unknown): Pressed | undefined {
  const parsed = interaction.safeParse(payload);
  if (!parsed.success) return undefined;
  const { user, channel, actions, state } = parsed.data;
  const action = actions.find(({ action_id: id }) => id === 'approve' || id === 'reject');
  if (action?.value === undefined) return undefined;
  const value = buttonValue.safeParse(parseJson(action.value));
  if (!value.success) return undefined;
  const comment = state?.values[COMMENT]?.[COMMENT]?.value?.trim();
  return {
    ...value.data,
    decision: action.action_id as Pressed['decision'],
    ...(comment ? { comment } : {}),
    user: user.id,
    channel: channel.id,
    pressId: `${user.id}/${action.action_ts}/${action.action_id}/${action.value}`,
  };
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

import { z } from 'zod';

/** 32 bytes of an Ed25519 public key, in hex: hex needs no decoder that a workflow doesn't have. */
export const publicKey = z
  .string()
  .regex(/^ed25519:[0-9a-f]{64}$/, 'expected ed25519: and 64 hexadecimal digits, as `rollout key` prints it');

const person = z.strictObject({
  keys: z
    .array(publicKey)
    .default([])
    .describe('Public keys that this person’s answers are signed with, as `rollout key` prints them.'),
  slack: z
    .string()
    .regex(/^[UW][A-Z0-9]{2,}$/, 'expected Slack’s id of a member, for example U024BE7LH')
    .optional()
    .describe('Slack’s id of the person, for example U024BE7LH: whoever presses a button is known by it.'),
  email: z
    .email('expected an e-mail address')
    .optional()
    .describe('Where mail reaches the person, where the name is no address.'),
});

/** By the names that `policy.roles` has. */
export const people = z.record(z.string().min(1), person);
export type People = z.output<typeof people>;

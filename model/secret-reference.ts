import { z } from 'zod';

/** Where a secret lies; never the secret itself. Resolved in activities, at the last moment. */
export const secretReference = z
  .string()
  .regex(/^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$/, 'expected env:NAME or file:PATH, never the secret itself')
  .describe('Where a secret lies: env:NAME or file:PATH. Never the secret itself.');

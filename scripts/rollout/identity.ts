import { hostname, userInfo } from 'node:os';

/**
 * Who asks: `--as`, else ROLLOUT_AS, else the user of this machine. It goes on record, and is what the deployment's
 * `policy.roles` list. It is a claim: who may reach Temporal may claim any name, as with the `temporal` CLI.
 */
export function identity(as: string | undefined, environment: NodeJS.ProcessEnv = process.env): string {
  const named = as ?? environment['ROLLOUT_AS'];
  return named === undefined || named.trim() === '' ? `${userInfo().username}@${hostname()}` : named.trim();
}

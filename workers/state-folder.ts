import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** Where operations keep probe, ledger and reports: ROLLOUT_STATE, else the user's state folder. */
export function stateFolder(environment: NodeJS.ProcessEnv = process.env): string {
  if (environment['ROLLOUT_STATE']) return resolve(environment['ROLLOUT_STATE']);
  return join(environment['XDG_STATE_HOME'] ?? join(homedir(), '.local', 'state'), 'redis-rollout');
}

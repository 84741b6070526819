import { RolloutError } from '../../model/failures.js';
import type { Endpoint } from '../connection.js';

/** What an error reply to the replication handshake means, and for whom. */
export function refusal(address: string, endpoint: Endpoint, command: string, reply: string): RolloutError {
  const who = endpoint.username === undefined ? 'the default user' : `user '${endpoint.username}'`;
  const error = reply.replace(/^-/, '');
  if (/^NOAUTH/.test(error))
    return new RolloutError('Unauthorized', `${address} wants a password, and the deployment file names none`);
  if (/^WRONGPASS|invalid password|invalid username/i.test(error))
    return new RolloutError('Unauthorized', `${address} refused the password of ${who}`);
  if (/no password is set|without any password configured/i.test(error))
    return new RolloutError(
      'Unauthorized',
      `${address} has no password set for ${who}, and the deployment file names one`,
    );
  if (/^NOPERM/.test(error))
    return new RolloutError(
      'MissingPermission',
      `${address}: ${who} may not run ${command}; a replica's user needs +psync and +replconf (${error})`,
    );
  if (/unknown command/i.test(error))
    return new RolloutError(
      'MissingPermission',
      `${address} knows no ${command}: where rename-command renames it, name it under credentials.commands (${error})`,
    );
  if (/^NOMASTERLINK/.test(error))
    return new RolloutError(
      'NotCaughtUp',
      `${address} is a replica without a link to its primary, and gives no snapshot until it has one (${error})`,
    );
  if (/^LOADING/.test(error))
    return new RolloutError('NotCaughtUp', `${address} is still loading its own dataset (${error})`);
  return new RolloutError('BackupFailed', `${address} refused ${command}: ${error}`);
}

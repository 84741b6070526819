import type { Command } from 'commander';
import { makeSigningKey, readSigningKey } from '../../../integrations/signing-key.js';
import { command } from '../command.js';
import { Complaint } from '../complaint.js';
import { note, print, printJson } from '../terminal.js';

export function keyCommand(): Command {
  return command('key', {
    summary: 'make a key that answers are signed with',
    description:
      'Writes a private key of Ed25519 into a new file that only you can read, and prints its public key for policy.people ' +
      'of the deployment file. With --show it prints the public key of one that is there.',
    examples: [
      ['rollout key ~/.config/rollout.key', 'once; then: rollout approve orders --key file:…'],
      ['rollout key --show file:/etc/rollout/approvals.key', 'its public key again'],
    ],
  })
    .argument('[file]', 'where to write the private key')
    .option('--show <reference>', 'print the public key of this one: env:NAME or file:PATH')
    .action(key);
}

async function key(file: string | undefined, { show, json }: { show?: string; json?: true }): Promise<void> {
  if ((file === undefined) === (show === undefined))
    throw new Complaint('usage', 'expected the path of a new file, or --show with the reference of a key', [
      'See: rollout key --help',
    ]);
  const publicKey = show === undefined ? await makeSigningKey(file ?? '') : (await readSigningKey(show)).publicKey;
  if (json) {
    printJson({ publicKey, ...(file === undefined ? {} : { file }) });
    return;
  }
  print(publicKey);
  if (file !== undefined)
    note(`The private key is in ${file}. Name the public one under policy.people.<you>.keys of the deployment file.`);
}

import type { SlackMember } from '../../integrations/notify/slack-client.js';
import type { Policy } from '../../model/policy.js';

/**
 * Who of the deployment's people a member of Slack is: by the id that policy.people names, else by the address that Slack knows,
 * where that is a name in policy.roles or an address in policy.people.
 */
export function personOf(
  user: string,
  { email, problem }: SlackMember,
  { roles, people = {} }: Pick<Policy, 'roles' | 'people'>,
): { by: string } | { refused: string } {
  if (problem !== undefined) return { refused: `${user} can't answer: ${problem}` };
  const byId = Object.keys(people).find((name) => people[name]?.slack === user);
  if (byId !== undefined) return { by: byId };
  const address = email?.toLowerCase();
  const names = [...new Set(Object.values(roles).flat())];
  const byAddress =
    address === undefined
      ? undefined
      : names.find((name) => [name, people[name]?.email].some((it) => it?.toLowerCase() === address));
  // Whoever has an id in the file is known by that alone.
  if (byAddress !== undefined && people[byAddress]?.slack === undefined) return { by: byAddress };
  return {
    refused: `${user}${email === undefined ? '' : ` (${email})`} is nobody of the deployment file: name the id under policy.people.<name>.slack`,
  };
}

import type { Deployment } from './deployment.js';
import type { ApprovalPolicy } from './policy.js';
import type { Path, Problem } from './deployment-rules.js';
import { nearest } from './nearest.js';
import type { People } from './people.js';
import { rolesThatCanAnswer } from './signed-answer.js';

type Roles = Deployment['policy']['roles'];

/** Whoever is described is known by a role, and nobody is known by what is somebody else's. */
export function peopleRules(people: People, roles: Roles): Problem[] {
  const known = [...new Set(Object.values(roles).flat())];
  const strangers = Object.keys(people)
    .filter((name) => !known.includes(name))
    .map((name): Problem => {
      const suggestion = nearest(name, known);
      return {
        path: ['policy', 'people', name],
        key: true,
        expected: `expected somebody who has a role in policy.roles (${known.length === 0 ? 'which names nobody' : known.join(', ')})`,
        ...(suggestion === undefined ? {} : { suggestion }),
      };
    });
  return [...strangers, ...shared(people, 'slack', (it) => [it.slack]), ...shared(people, 'keys', (it) => it.keys)];
}

/** What two people have in common, where one could answer as the other. */
function shared(
  people: People,
  field: 'slack' | 'keys',
  of: (person: People[string]) => readonly (string | undefined)[],
): Problem[] {
  const owners = new Map<string, string>();
  return Object.entries(people).flatMap(([name, person]) =>
    of(person).flatMap((value): Problem[] => {
      if (value === undefined) return [];
      const owner = owners.get(value) ?? name;
      owners.set(value, owner);
      if (owner === name) return [];
      return [{ path: ['policy', 'people', name, field], expected: `expected another than ${owner} has` }];
    }),
  );
}

/** With `approvals.signed` a question needs as many people who can sign as its quorum; else nobody could decide it. */
export function signatureRules(
  path: Path,
  { roles: asked, quorum }: ApprovalPolicy,
  policy: Parameters<typeof rolesThatCanAnswer>[0],
): Problem[] {
  const able = rolesThatCanAnswer(policy);
  const people = new Set(asked.flatMap((role) => able[role] ?? []));
  if (people.size >= quorum) return [];
  return [
    {
      path: [...path, 'quorum'],
      expected: `expected ${people.size} at most: answers are to be signed, and that many people in ${asked.join(' and ')} can (keys in policy.people, or slack there and chatKeys)`,
    },
  ];
}

import type { Problem } from './deployment-rules.js';
import type { Deployment } from './deployment.js';
import { nearest } from './nearest.js';
import type { Notify } from './notify-policy.js';

/** A route needs what it goes by, and roles that there are. */
export function notifyRules(notify: Notify, roles: Deployment['policy']['roles']): Problem[] {
  const known = Object.keys(roles);
  const problems = notify.routes.flatMap((route, i): Problem[] => {
    const path = ['notify', 'routes', i];
    const unknown = (route.roles ?? []).flatMap((role, at): Problem[] => {
      if (known.includes(role)) return [];
      const suggestion = nearest(role, known);
      return [
        {
          path: [...path, 'roles', at],
          expected: `expected a role of policy.roles (${known.length === 0 ? 'which names none' : known.join(', ')})`,
          ...(suggestion === undefined ? {} : { suggestion }),
        },
      ];
    });
    const needs = route.to.kind === 'slack' ? 'slack' : route.to.kind === 'email' ? 'smtp' : undefined;
    if (needs === undefined || notify[needs] !== undefined) return unknown;
    return [...unknown, { path: [...path, 'to', 'kind'], expected: `expected notify.${needs} beside it` }];
  });
  const { smtp } = notify;
  if (smtp && (smtp.username === undefined) !== (smtp.password === undefined)) {
    const [there, missing] = smtp.username === undefined ? ['password', 'username'] : ['username', 'password'];
    problems.push({ path: ['notify', 'smtp', there], expected: `expected notify.smtp.${missing} beside it` });
  }
  return problems;
}

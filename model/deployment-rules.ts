import { deploymentSchema, type Deployment } from './deployment.js';
import { approvalQuestions, type ApprovalPolicy } from './policy.js';
import { isEveryYear, type Freeze } from './freeze.js';
import { gateNames, reservedGates } from './gates/names.js';
import { nearest } from './nearest.js';
import { notifyRules } from './notify-rules.js';
import { peopleRules, signatureRules } from './people-rules.js';
import { timeOfDayMs, type MaintenanceWindow } from './windows.js';

export type Path = readonly (string | number)[];

/** One thing wrong with a deployment file, and the field that it is wrong with. */
export interface Problem {
  path: Path;
  /** What was expected, as a sentence goes on after the field's name: `expected a role of policy.roles (…)`. */
  expected: string;
  suggestion?: string;
  /** True when the problem is the name of the last field of `path`, not its value. */
  key?: boolean;
}

const shape = deploymentSchema.shape;
const policyShape = shape.policy.unwrap().shape;
const approvalsSchema = policyShape.approvals.unwrap();
const approvalShape = approvalsSchema.shape;
const signingShape = approvalsSchema.pick({ signed: true, chatKeys: true });

/**
 * Rules between fields. Each reads only the part of the file that it needs, and stays silent while that part does not
 * have its form yet, so that one mistake doesn't hide another.
 *
 * @param file the file as plain data, not validated
 */
export function rulesBetweenFields(file: unknown): Problem[] {
  const policy = part(file, 'policy');
  const roles = policyShape.roles.safeParse(part(policy, 'roles'));
  const gates = policyShape.gates.safeParse(part(policy, 'gates'));
  const windows = policyShape.windows.safeParse(part(policy, 'windows'));
  const freeze = policyShape.freeze.safeParse(part(policy, 'freeze'));
  const fallbackWhen = policyShape.fallbackWhen.safeParse(part(policy, 'fallbackWhen'));
  const notify = shape.notify.safeParse(part(file, 'notify'));
  const seeds = shape.seeds.safeParse(part(file, 'seeds'));
  const tls = shape.tls.safeParse(part(file, 'tls'));
  const checks = shape.checks.safeParse(part(file, 'checks'));
  const hooks = shape.hooks.safeParse(part(file, 'hooks'));
  const target = shape.backup.shape.target.safeParse(part(part(file, 'backup'), 'target'));
  const people = policyShape.people.safeParse(part(policy, 'people'));
  const asked = part(policy, 'approvals');
  const signing = signingShape.safeParse({ signed: part(asked, 'signed'), chatKeys: part(asked, 'chatKeys') });
  const approvalProblems = (path: Path, approval: ApprovalPolicy): Problem[] => {
    if (!roles.success) return [];
    const found = approvalRules(path, approval, roles.data);
    if (found.length > 0 || !people.success || !signing.success) return found;
    return signatureRules(path, approval, { roles: roles.data, people: people.data, approvals: signing.data });
  };
  const approvals = approvalQuestions.flatMap((name) => {
    const approval = approvalShape[name].safeParse(part(asked, name));
    return approval.data ? approvalProblems(['policy', 'approvals', name], approval.data) : [];
  });
  const signOffs = Object.entries(
    shape.staging.unwrap().shape.approvals.safeParse(part(part(file, 'staging'), 'approvals')).data ?? {},
  ).flatMap(([name, approval]) => approvalProblems(['staging', 'approvals', name], approval));
  return [
    ...approvals,
    ...signOffs,
    ...(roles.success && people.success ? peopleRules(people.data ?? {}, roles.data) : []),
    ...(roles.success && notify.success ? notifyRules(notify.data, roles.data) : []),
    ...(gates.success ? queryRules(gates.data) : []),
    ...(windows.success ? windowRules(windows.data) : []),
    ...(freeze.success ? freezeRules(freeze.data) : []),
    ...(gates.success && fallbackWhen.success ? triggerRules(fallbackWhen.data, gates.data) : []),
    ...(seeds.success ? seedRules(seeds.data) : []),
    ...(tls.success ? certificateRules(tls.data) : []),
    ...(checks.success ? checkRules(checks.data) : []),
    ...(hooks.success ? hookRules(hooks.data) : []),
    ...(target.success ? credentialRules(target.data) : []),
  ];
}

function approvalRules(path: Path, approval: ApprovalPolicy, roles: Deployment['policy']['roles']): Problem[] {
  const known = Object.keys(roles);
  const unknown = approval.roles.filter((role) => !known.includes(role));
  if (unknown.length > 0)
    return unknown.map((role) => {
      const suggestion = nearest(role, known);
      return {
        path: [...path, 'roles', approval.roles.indexOf(role)],
        expected:
          known.length === 0
            ? 'expected a role of policy.roles, which names none'
            : `expected a role of policy.roles (${known.join(', ')})`,
        ...(suggestion === undefined ? {} : { suggestion }),
      };
    });
  const people = new Set(approval.roles.flatMap((role) => roles[role] ?? []));
  if (approval.quorum <= people.size) return [];
  const expected = `expected ${people.size} at most, the number of different people in ${approval.roles.join(' and ')}`;
  return [{ path: [...path, 'quorum'], expected }];
}

function queryRules(gates: Deployment['policy']['gates']): Problem[] {
  const problems: Problem[] = [];
  const seen = new Set<string>(reservedGates);
  for (const [i, { name, below, above }] of (gates.prometheus?.queries ?? []).entries()) {
    const path = ['policy', 'gates', 'prometheus', 'queries', i];
    if (seen.has(name))
      problems.push({
        path: [...path, 'name'],
        expected: (reservedGates as readonly string[]).includes(name)
          ? `expected another name than the built-in gates have (${reservedGates.join(', ')})`
          : 'expected a name that no other query has',
      });
    seen.add(name);
    if (below === undefined && above === undefined)
      problems.push({
        path,
        expected: 'expected below, above or both: without a threshold the gate can decide nothing',
      });
    else if (below !== undefined && above !== undefined && above >= below)
      problems.push({ path: [...path, 'above'], expected: `expected a number less than below (${below})` });
  }
  return problems;
}

/** A slip in a gate's name would leave an upgrade where somebody relies on its being taken back. */
function triggerRules(when: Deployment['policy']['fallbackWhen'], gates: Deployment['policy']['gates']): Problem[] {
  const known = [...gateNames, ...(gates.prometheus?.queries.map(({ name }) => name) ?? [])];
  return when.gates.flatMap((gate, i) => {
    if (known.includes(gate)) return [];
    const suggestion = nearest(gate, known);
    return [
      {
        path: ['policy', 'fallbackWhen', 'gates', i],
        expected: `expected the name of a gate (${known.join(', ')})`,
        ...(suggestion === undefined ? {} : { suggestion }),
      },
    ];
  });
}

const windowRules = (windows: readonly MaintenanceWindow[]): Problem[] =>
  windows.flatMap(({ from, to }, i) =>
    timeOfDayMs(from) === timeOfDayMs(to)
      ? [
          {
            path: ['policy', 'windows', i, 'to'],
            expected: "expected another time than from; a whole day is from '00:00' to '24:00'",
          },
        ]
      : [],
  );

const freezeRules = (freezes: readonly Freeze[]): Problem[] =>
  freezes.flatMap(({ from, to }, i) => {
    if (to === undefined) return [];
    const path = ['policy', 'freeze', i, 'to'];
    if (isEveryYear(from) !== isEveryYear(to))
      return [{ path, expected: `expected a day of the same form as from (${from}): with a year, or of every year` }];
    return !isEveryYear(from) && to < from
      ? [{ path, expected: `expected a day that is not before from (${from})` }]
      : [];
  });

const seedRules = (seeds: Deployment['seeds']): Problem[] =>
  seeds.flatMap((seed, i) =>
    seeds.indexOf(seed) === i ? [] : [{ path: ['seeds', i], expected: 'expected each seed once' }],
  );

const checkRules = (checks: Deployment['checks']): Problem[] => sameNames('check', checks);

function hookRules(hooks: Deployment['hooks']): Problem[] {
  const ways = hooks.map((hook) => [hook.command, hook.http, hook.workflow].filter((it) => it !== undefined));
  return [
    ...sameNames('hook', hooks),
    ...ways.flatMap((given, i) =>
      given.length === 1
        ? []
        : [{ path: ['hooks', i], expected: `expected one of command, http and workflow, and it has ${given.length}` }],
    ),
  ];
}

const sameNames = (what: 'check' | 'hook', all: readonly { name: string }[]): Problem[] =>
  all.flatMap(({ name }, i) =>
    all.findIndex((it) => it.name === name) === i
      ? []
      : [{ path: [`${what}s`, i, 'name'], expected: `expected a name that no other ${what} has` }],
  );

function certificateRules(tls: Deployment['tls']): Problem[] {
  if (tls === undefined || (tls.cert === undefined) === (tls.key === undefined)) return [];
  const [there, missing] = tls.cert === undefined ? ['key', 'cert'] : ['cert', 'key'];
  return [{ path: ['tls', there], expected: `expected tls.${missing} beside it: a client certificate needs both` }];
}

function credentialRules(target: Deployment['backup']['target']): Problem[] {
  if (target?.kind !== 's3' || (target.accessKeyId === undefined) === (target.secretAccessKey === undefined)) return [];
  const [there, missing] =
    target.accessKeyId === undefined ? ['secretAccessKey', 'accessKeyId'] : ['accessKeyId', 'secretAccessKey'];
  return [{ path: ['backup', 'target', there], expected: `expected backup.target.${missing} beside it` }];
}

const part = (of: unknown, key: string): unknown =>
  typeof of === 'object' && of !== null ? (of as Record<string, unknown>)[key] : undefined;

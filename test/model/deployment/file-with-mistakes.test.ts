// What a person sees after a slip in a deployment file: where, which field, what was expected, what was found.
import { expect, test } from 'vitest';
import { parseDeployment } from '../../../model/deployment-file.js';
import { RolloutError } from '../../../model/failures.js';

const whole = `name: orders
topology: cluster
seeds: [10.0.0.4:6379]
platform:
  kind: process
backup:
  directory: /backups
`;

function problems(text: string, name?: string): string[] {
  try {
    parseDeployment(text, 'orders.yaml', name);
  } catch (error) {
    expect(error).toBeInstanceOf(RolloutError);
    expect((error as RolloutError).type).toBe('BadDeploymentFile');
    return (error as RolloutError).message.split('\n  ').slice(1);
  }
  throw new Error('the file was accepted');
}

test('a whole file has its defaults filled in: durations in ms, sizes in bytes', () => {
  const { policy, platform, credentials } = parseDeployment(whole, 'orders.yaml', 'orders');
  expect(policy).toMatchObject({ settle: 11_000, parallelShards: 1, gates: { maxLag: 1024 ** 2, maxErrorRate: 0 } });
  expect(platform).toMatchObject({ kind: 'process', startTimeout: 30_000 });
  expect(credentials).toEqual({});
});

test.each([
  [
    'an unknown field',
    `${whole}polcy: {}\n`,
    /^8:1 {2}polcy: expected one of .*policy, found 'polcy'; did you mean 'policy'\?$/,
  ],
  ['a field at the wrong place', `${whole}canarySoak: 5m\n`, /^8:1 .*did you mean 'policy.canarySoak'\?$/],
  [
    'checks of a drill alone',
    `${whole}drill:\n  checks: []\n`,
    /^9:3 {2}drill\.checks: expected one of .*; did you mean 'checks'\?$/,
  ],
  [
    'two checks of one name',
    `${whole}checks:\n  - { name: cart, command: [a] }\n  - { name: cart, command: [b] }\n`,
    /^10:13 {2}checks\[1\]\.name: expected a name that no other check has, found 'cart'$/,
  ],
  [
    'a day that is none',
    `${whole}policy:\n  freeze:\n    - { from: 2026-02-30, reason: a }\n`,
    /^10:15 {2}policy\.freeze\[0\]\.from: expected a day such as 2026-12-20, or 12-20 for every year, found '2026-02-30'$/,
  ],
  [
    'a freeze that ends before it begins',
    `${whole}policy:\n  freeze:\n    - { from: 2026-12-20, to: 2026-01-03, reason: a }\n`,
    /^10:31 {2}policy\.freeze\[0\]\.to: expected a day that is not before from \(2026-12-20\), found '2026-01-03'$/,
  ],
  [
    'a freeze of one year to every year’s day',
    `${whole}policy:\n  freeze:\n    - { from: 2026-12-20, to: 01-03, reason: a }\n`,
    /^10:31 {2}policy\.freeze\[0\]\.to: expected a day of the same form as from .*, found '01-03'$/,
  ],
  [
    'a hook that does nothing',
    `${whole}hooks:\n  - { name: mute, at: [before node] }\n`,
    /^9:5 {2}hooks\[0\]: expected one of command, http and workflow, and it has 0, found an object$/,
  ],
  [
    'a point that is none',
    `${whole}hooks:\n  - { name: mute, at: [before nodes], command: [a] }\n`,
    /^9:24 {2}hooks\[0\].at\[0\]: expected before upgrade or .*, found 'before nodes'$/,
  ],
  ['a wrong case', `${whole}policy:\n  parallelshards: 2\n`, /^9:3 .*did you mean 'parallelShards'\?$/],
  [
    'a missing field',
    whole.replace('  directory: /backups\n', '  keep: 2\n'),
    /^6:1 {2}backup\.directory: expected text, found nothing$/,
  ],
  ['a missing object', whole.slice(0, whole.indexOf('backup')), /^1:1 {2}backup: expected an object, found nothing$/],
  ['an empty value', whole.replace(' orders', ''), /^1:6 {2}name: expected text, found nothing$/],
  [
    'text for a number',
    `${whole}policy:\n  parallelShards: two\n`,
    /^9:19 {2}policy\.parallelShards: expected a number, found 'two'$/,
  ],
  ['part of a shard', `${whole}policy:\n  parallelShards: 1.5\n`, /^9:19 .*expected a whole number, found 1\.5$/],
  ['no shards at once', `${whole}policy:\n  parallelShards: 0\n`, /^9:19 .*expected 1 or more, found 0$/],
  ['YAML 1.1 truth', `${whole}tls:\n  verify: no\n`, /^9:11 {2}tls\.verify: expected true or false, found 'no'$/],
  ['a duration without unit', `${whole}policy:\n  soak: 30\n`, /^9:9 .*expected a duration such as .*, found 30$/],
  ['a unit that is none', `${whole}policy:\n  soak: 30 days\n`, /^9:9 .*expected a duration .*found '30 days'$/],
  [
    'a size of another notation',
    `${whole}policy:\n  gates: { maxLag: 1MiB }\n`,
    /^9:20 .*expected a size .*found '1MiB'$/,
  ],
  [
    'a port too far',
    whole.replace('6379', '65536'),
    /^3:9 {2}seeds\[0\]: expected host:port .*found '10\.0\.0\.4:65536'$/,
  ],
  ['port nought', whole.replace('6379', '0'), /^3:9 .*port from 1 to 65535/],
  ['a seed without port', whole.replace(':6379', ''), /^3:9 {2}seeds\[0\]: expected host:port/],
  ['one seed as text', whole.replace(/\[(.*)\]/, '$1'), /^3:8 {2}seeds: expected a list, found '10\.0\.0\.4:6379'$/],
  ['no seed', whole.replace(/\[.*\]/, '[]'), /^3:8 {2}seeds: expected at least 1 in the list/],
  ['a seed twice', whole.replace(/\[(.*)\]/, '[$1, $1]'), /^3:24 {2}seeds\[1\]: expected each seed once/],
  [
    'an unknown platform',
    whole.replace('process', 'docker'),
    /^5:9 {2}platform\.kind: expected process, found 'docker'$/,
  ],
  [
    'a topology that is not there yet',
    whole.replace('cluster', 'sentinel'),
    /^2:11 {2}topology: expected cluster, found 'sentinel'$/,
  ],
  [
    'a release line where a release belongs',
    whole.replace('process\n', 'process\n  servers: { 8.0: /x }\n'),
    /^6:14 .*expected an exact release.*found '8\.0'$/,
  ],
  ['half a client certificate', `${whole}tls: { cert: /c.pem }\n`, /^8:14 {2}tls\.cert: expected tls\.key beside it/],
  ['a field twice', `${whole}name: again\n`, /^8:1 .*found this one a second time$/],
  ['a tab', 'name:\n\t- x\n', /^2:1 {2}expected spaces, found a tab/],
  ['an anchor', whole.replace('10.0', '&a 10.0'), /^3:\d+ {2}expected a value, found the anchor '&a'/],
  ['a tag', whole.replace('orders', '!!js/function x'), /^1:21 {2}expected a plain value, found the tag/],
  ['two documents', `${whole}---\n${whole}`, /^8:1 {2}expected one deployment a file/],
  ['an unclosed list', whole.replace(']', ''), /^\d+:\d+ {2}/],
  ['no object', '- a\n', /^1:1 {2}the file: expected an object, found a list$/],
  ['nothing', '# nothing yet\n', /^1:1 {2}expected a deployment, found an empty file$/],
])('%s', (_, text, expected) => {
  const found = problems(text);
  expect(found).toHaveLength(1);
  expect(found[0]).toMatch(expected);
});

const roles = 'policy:\n  roles: { engineering: [ana, ben], operations: [ben] }\n  approvals:\n';
test.each([
  [
    'a role that is none',
    'start: { roles: [enginering] }',
    /roles\[0\]: expected a role of policy\.roles \(engineering, operations\), found 'enginering'; did you mean 'engineering'\?$/,
  ],
  [
    'a quorum larger than the people, counted once each',
    'start: { roles: [engineering, operations], quorum: 3 }',
    /quorum: expected 2 at most.*found 3$/,
  ],
  ['nobody asked', 'start: { roles: [] }', /roles: expected at least 1 in the list/],
  ['a quorum of none', 'start: { roles: [engineering], quorum: 0 }', /quorum: expected 1 or more, found 0$/],
  [
    'a deadline that has passed',
    'finalize: { roles: [engineering], expires: 0s }',
    /expires: expected a duration .*longer than nothing, found '0s'$/,
  ],
  [
    'handover neither once nor per shard',
    'handover: { roles: [engineering], per: node }',
    /per: expected upgrade or shard, found 'node'$/,
  ],
])('approvals: %s', (_, approval, expected) => {
  const found = problems(`${whole}${roles}    ${approval}\n`);
  expect(found).toHaveLength(1);
  expect(found[0]).toMatch(/^11:\d+ /);
  expect(found[0]).toMatch(expected);
});

const query = (text: string): string =>
  `${whole}policy: { gates: { prometheus: { url: "http://p:9090", queries: [${text}] } } }\n`;
test.each([
  ['without threshold', '{ name: a, query: up }', /queries\[0\]: expected below, above or both/],
  [
    'that nothing can satisfy',
    '{ name: a, query: up, above: 2, below: 1 }',
    /above: expected a number less than below \(1\), found 2$/,
  ],
  [
    'named like a built-in gate',
    '{ name: memory, query: up, above: 0 }',
    /name: expected another name than the built-in gates/,
  ],
  [
    'named twice',
    '{ name: a, query: up, above: 0 }, { name: a, query: up, above: 0 }',
    /queries\[1\]\.name: expected a name that no other query has, found 'a'$/,
  ],
])('a PromQL gate %s', (_, text, expected) => {
  const found = problems(query(text));
  expect(found).toHaveLength(1);
  expect(found[0]).toMatch(expected);
});

test('a password written into the file is refused and never repeated', () => {
  const text = `${whole}credentials:\n  password: hunter2\n`;
  const found = problems(text).join('\n');
  expect(found).toMatch(/^9:13 {2}credentials\.password: expected env:NAME or file:PATH, never the secret itself/);
  expect(found).not.toContain('hunter2');
});

test('all problems are listed at once, in the order of the file, whatever rule they break', () => {
  const found = problems(`${whole.replace('cluster', 'ring')}policy:
  handover: quick
  approvals:
    start: { roles: [engineering] }
  gates: { memoryHeadroom: 2 }
  sooak: 1h
`);
  expect(found.map((line) => line.split(/ {2}|: /)[1])).toEqual([
    'topology',
    'policy.handover',
    'policy.approvals.start.roles[0]',
    'policy.gates.memoryHeadroom',
    'policy.sooak',
  ]);
});

test('a name that is not the file’s is refused where the name stands', () => {
  expect(problems(whole, 'payments')).toEqual(["1:7  name: expected 'payments', the name of the file, found 'orders'"]);
});

test('a password in the address of Prometheus is refused, and not repeated', () => {
  const text = `${whole}policy:\n  gates:\n    prometheus:\n      url: https://ana:swordfish@prometheus:9090\n      queries: [{ name: q, query: up, above: 0 }]\n`;
  const [problem, ...others] = problems(text);
  expect(others).toEqual([]);
  expect(problem).toMatch(
    /^11:12 {2}policy\.gates\.prometheus\.url: expected an address without user and password.* token/,
  );
  expect(problem).not.toContain('swordfish');
});

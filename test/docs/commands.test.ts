// A command that is copied from a page must exist, with these options, or the page does harm.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { failures } from '../../model/failures.js';
import { gateNames } from '../../model/gates/names.js';
import { controlDocument, inputSchemas } from '../../model/inputs.js';
import {
  assessmentWorkflowId,
  backupWorkflowId,
  drillWorkflowId,
  controlNames,
  operationId,
  queryNames,
  searchAttributes,
  TASK_QUEUE,
  workflowTypes,
  type ControlName,
} from '../../model/names.js';
import { rolloutProgram } from '../../scripts/rollout/program.js';
import { blocks, inline, pages, root, type Page } from './pages.js';

const all = await pages();
const program = rolloutProgram();
const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> };

/** Lines of shell blocks and code in the running text, continued lines joined, comments and prompts taken off. */
const lines = ({ text }: Page): string[] => [
  ...blocks(text)
    .filter(({ language }) => ['sh', 'console', ''].includes(language))
    .flatMap(({ body }) => body.replace(/\\\n\s*/g, '').split('\n')),
  ...inline(text),
];

const withoutQuotes = (line: string): string => line.replace(/"[^"]*"|'[^']*'/g, 'QUOTED');
/** `rollout x --flags` wherever it stands in a line: after a prompt, an arrow, a colon. */
const calls = (line: string): string[] =>
  withoutQuotes(line)
    .split(/ # |\||;|, or |: (?=rollout )/)
    .flatMap((part) => /(?:^|(?<!\buser)\s)(?:\$ |npm run )?(rollout (?:-- )?[a-z]+(?![\w:]).*)/.exec(part)?.[1] ?? []);

const found = all.flatMap((page) =>
  lines(page)
    .flatMap(calls)
    .map((call) => [page.path, call.replace('rollout -- ', 'rollout ')] as const),
);

test('there are commands to check', () => {
  expect(found.length).toBeGreaterThan(50);
});

test.each(found)('%s: %s', (_, call) => {
  const [, name = '', below] = call.split(/\s+/);
  const outer = program.commands.find((it) => it.name() === name);
  expect(outer, `there is no rollout ${name}`).toBeDefined();
  const command = outer?.commands.find((it) => it.name() === below) ?? outer;
  const known = [...(command?.options ?? []).map(({ long }) => long), '--help', '--version'];
  for (const [, flag] of call.matchAll(/\s(--[a-z][a-z-]*)/g)) expect(known).toContain(flag);
});

test('every npm script that is named exists', () => {
  for (const page of all)
    for (const line of lines(page))
      for (const [, script = ''] of line.matchAll(/npm run (?:-s )?([a-z]+)/g))
        expect(Object.keys(manifest.scripts), `${page.path}: ${line}`).toContain(script);
});

describe('the `temporal` commands of the pages', () => {
  const temporal = all.flatMap((page) => lines(page).filter((line) => /^temporal workflow \w.* --/.test(line)));
  const values = (option: string): string[] =>
    temporal.flatMap((line) => [...line.matchAll(new RegExp(`--${option} (\\S+)`, 'g'))].map(([, it = '']) => it));

  test('name workflows, ids, signals, queries and task queues that exist', () => {
    expect(temporal.length).toBeGreaterThan(8);
    const starts = temporal.filter((line) => line.includes('workflow start'));
    for (const line of starts) expect(workflowTypes).toContain(/--type (\S+)/.exec(line)?.[1]);
    const queries = temporal.filter((line) => line.includes('workflow query'));
    for (const line of queries) expect(queryNames).toContain(/--type (\S+)/.exec(line)?.[1]);
    for (const name of values('name')) expect(controlNames).toContain(name);
    const ids = [
      operationId('orders'),
      backupWorkflowId('orders'),
      drillWorkflowId('orders'),
      assessmentWorkflowId('orders'),
    ];
    for (const id of values('workflow-id')) expect(ids).toContain(id);
    for (const queue of values('task-queue').filter((it) => it !== '`')) expect(queue).toBe(TASK_QUEUE);
  });

  test('send inputs that are accepted', async () => {
    const sent = temporal.filter((line) => line.includes('--input'));
    expect(sent.length).toBeGreaterThan(5);
    for (const line of sent) {
      const control = /--name (\S+)/.exec(line)?.[1] as ControlName | undefined;
      const name = control === undefined ? (/--type (\S+)/.exec(line)?.[1] ?? '') : controlDocument(control);
      const file = /--input-file (\S+)/.exec(line)?.[1];
      const text = file === undefined ? /--input '([^']+)'/.exec(line)?.[1] : await readFile(join(root, file), 'utf8');
      const schema = inputSchemas[name];
      expect(schema?.safeParse(JSON.parse(text ?? '')), line).toMatchObject({ success: true });
    }
  });

  test('ask for search attributes that exist', () => {
    const known: readonly string[] = Object.values(searchAttributes);
    for (const page of all)
      for (const [name] of page.text.matchAll(/\bRedis(?!Rollout)[A-Z][A-Za-z]+\b/g))
        expect(known, page.path).toContain(name);
  });
});

test('the failure types that what-if.md and handover.md name exist', () => {
  for (const { text } of all.filter(({ path }) => /(what-if|docs.handover)\.md$/.test(path))) {
    const named = inline(text).filter((it) => /^[A-Z][a-z]+([A-Z][a-z]+)*$/.test(it));
    expect(named.length).toBeGreaterThan(0);
    for (const type of named) expect(Object.keys(failures)).toContain(type);
  }
});

test('gates.md explains every gate, and its threshold is a field of the deployment file', async () => {
  const text = all.find(({ path }) => path.endsWith('gates.md'))?.text ?? '';
  for (const gate of gateNames) expect(text).toMatch(new RegExp(`^\\| \`${gate}\` \\|`, 'm'));
  const fields = await readFile(join(root, 'docs', 'deployment-file.md'), 'utf8');
  const named = all.flatMap((page) => inline(page.text)).filter((it) => /^policy(\.[a-zA-Z]+)+$/.test(it));
  expect(named.length).toBeGreaterThan(20);
  for (const field of named) expect(fields, `${field} is no field`).toContain(`| \`${field}\` |`);
});

test('the README tells to test as CI does', async () => {
  const readme = all.find(({ path }) => path === 'README.md')?.text ?? '';
  const ci = await readFile(join(root, '.ci', 'run'), 'utf8');
  const command = /^exec (npm [a-z ]*\w)/m.exec(ci)?.[1] ?? '';
  expect(command).toBe('npm test');
  const [first] = blocks(readme);
  expect(first?.body).toMatch(new RegExp(`^${command} `, 'm'));
});

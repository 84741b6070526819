// An entry that names a command or a directive that never was would never be shown, and nobody would notice.
import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { knownLine } from '../../../model/compatibility/release-lines.js';
import { isKnownAnywhere } from '../../../model/configuration/directives.js';
import { measuredOf, measuredReleases } from '../../../model/knowledge/measured.js';
import { knowledgeSteps, linesBetween, stepsBetween } from '../../../model/knowledge/steps.js';

const folder = fileURLToPath(new URL('../../../model/knowledge/steps/', import.meta.url));
const entries = () => knowledgeSteps().flatMap((step) => step.entries.map((entry) => ({ ...entry, line: step.line })));

test('every file of steps is read, and is of a line that redis-rollout knows', async () => {
  const files = (await readdir(folder)).map((name) => name.replace(/\.json$/, ''));
  expect(
    knowledgeSteps()
      .map(({ line }) => line)
      .sort(),
  ).toEqual(files.sort());
  for (const { line } of knowledgeSteps()) expect(knownLine(line), line).toBeDefined();
});

test('every entry has an id of its own, and a source that can be looked up', () => {
  const ids = entries().map(({ id, line }) => `${line} ${id}`);
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids.length).toBeGreaterThan(20);
  for (const { id, source } of entries()) expect(source, id).toMatch(/^https:\/\/(github\.com|redis\.io)\//);
});

test('every command that an entry names was one of a measured server, and every directive too', () => {
  const commands = new Set(measuredReleases.flatMap((release) => Object.keys(measuredOf(release).commands)));
  let named = 0;
  for (const { id, concerns } of entries())
    for (const concern of concerns) {
      if ('commands' in concern)
        for (const name of concern.commands) expect(commands.has(name), `${id}: ${name}`).toBe(true);
      if ('directive' in concern) expect(isKnownAnywhere(concern.directive), `${id}: ${concern.directive}`).toBe(true);
      named += 'commands' in concern || 'directive' in concern ? 1 : 0;
    }
  expect(named).toBeGreaterThan(15);
});

test('whoever goes to Valkey comes by Redis 7.2, and by no Redis after it', () => {
  expect(linesBetween('5.0.6', '8.2')).toEqual(['6.0', '6.2', '7.0', '7.2', '7.4', '8.0', '8.2']);
  expect(linesBetween('7.4.1', '8.0.6')).toEqual(['8.0']);
  expect(linesBetween('8.0.2', '8.0.6')).toEqual([]);
  expect(linesBetween('6.2.14', 'valkey-8.1')).toEqual(['7.0', '7.2', 'valkey-7.2', 'valkey-8.0', 'valkey-8.1']);
  expect(linesBetween('valkey-8.1.1', 'valkey-9.1.2')).toEqual(['valkey-9.0', 'valkey-9.1']);
  expect(stepsBetween('6.2.14', '7.0').map(({ line }) => line)).toEqual(['7.0']);
});

test('what the servers themselves said: STRALGO and print ended with 6.2, and what 6.2 deprecated has a successor', () => {
  const [old, now] = [measuredOf('6.2.14'), measuredOf('8.0.6')];
  expect(old.commands).toHaveProperty('stralgo');
  expect(now.commands).not.toHaveProperty('stralgo');
  expect(old.globals).toContain('print');
  expect(now.globals).not.toContain('print');
  expect(now.commands['getset']).toMatchObject({
    deprecated: '6.2.0',
    instead: expect.stringContaining('SET') as string,
  });
  expect(now.commands['client|list']).toMatchObject({ flags: expect.stringContaining('admin') as string });
  expect(measuredOf('7.2.9').release).toBe('7.2.4');
});

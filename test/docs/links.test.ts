// A page that leads nowhere, at three in the morning.
import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { expect, test } from 'vitest';
import { anchors, inline, pages, root } from './pages.js';

const all = await pages();

test.each(all.map(({ path, text }) => [path, text] as const))(
  '%s: every relative link resolves',
  async (path, text) => {
    const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
    for (const target of targets.filter((it) => !/^https?:/.test(it))) {
      const [file = '', anchor] = target.split('#');
      const absolute = file === '' ? join(root, path) : join(root, dirname(path), file);
      await expect(stat(absolute), `${path} links to ${target}`).resolves.toBeDefined();
      if (anchor !== undefined)
        expect([...anchors(await readFile(absolute, 'utf8'))], `${path} links to ${target}`).toContain(anchor);
    }
  },
);

const folders = (await readdir(root, { withFileTypes: true })).filter((it) => it.isDirectory()).map((it) => it.name);
const ofTheProject = new RegExp(`^(${folders.join('|')})/[\\w./-]*\\w$`);
/** Made by somebody who uses it, not by us; and ids of workflows. */
const theirs = /^(deployments|node_modules|\.rollout|redis\/orders)\//;

test.each(all.map(({ path, text }) => [path, text] as const))(
  '%s: every file that it names exists',
  async (path, text) => {
    for (const name of inline(text).filter((it) => ofTheProject.test(it) && !theirs.test(it)))
      await expect(stat(join(root, name)), `${path} names ${name}`).resolves.toBeDefined();
  },
);

test('every page of docs/ can be reached from the README', () => {
  const byPath = new Map(all.map((page) => [page.path, page.text]));
  const seen = new Set<string>();
  const visit = (path: string): void => {
    if (seen.has(path)) return;
    seen.add(path);
    const text = byPath.get(path) ?? '';
    for (const [, target = ''] of text.matchAll(/\]\(([^)#\s]+)/g))
      if (target.endsWith('.md') && !/^https?:/.test(target)) visit(relative(root, join(root, dirname(path), target)));
  };
  visit('README.md');
  expect(all.map(({ path }) => path).filter((path) => !seen.has(path))).toEqual([]);
});

test('no page holds a path of the machine that it was written on', () => {
  for (const { path, text } of all) expect(text, path).not.toMatch(/\/(root|home\/\w+|tmp)\//);
});

test('the pages refer to decisions that are there, and so does the code', async () => {
  const decisions = await readdir(join(root, 'docs', 'decisions'));
  const numbers = decisions.map((name) => name.slice(0, 4));
  expect(new Set(numbers).size).toBe(decisions.length);
  for (const folder of ['workflows', 'activities', 'model', 'redis', 'platforms', 'workers', 'scripts'])
    for (const file of await readdir(join(root, folder), { recursive: true })) {
      if (!file.endsWith('.ts')) continue;
      const text = await readFile(join(root, folder, file), 'utf8');
      for (const [, number] of text.matchAll(/docs\/decisions\/(\d{4})/g))
        expect(numbers, `${folder}/${file} refers to ${number ?? ''}`).toContain(number);
    }
});

// A field that was added without `npm run generate` would be missing from the schema that editors use and from the docs.
import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { deploymentFileSchema, fieldsOf } from '../../../model/deployment-fields.js';
import { parseDeployment } from '../../../model/deployment-file.js';
import { inputSchemas } from '../../../model/inputs.js';
import { deploymentReference } from '../../../scripts/generate/deployment-reference.js';
import { schemaFiles } from '../../../scripts/generate/schemas.js';

const examples = fileURLToPath(new URL('../../../examples/', import.meta.url));

test('every schema in examples/schema is what the source gives, and no other lies there', async () => {
  const files = await schemaFiles();
  for (const { path, content } of files)
    expect(await readFile(path, 'utf8'), `${basename(path)} is stale: npm run generate`).toBe(content);
  const there = await readdir(dirname(files[0]?.path ?? ''));
  expect(there.sort()).toEqual(files.map(({ path }) => basename(path)).sort());
});

test('docs/deployment-file.md explains every field', async () => {
  const { path, content } = await deploymentReference();
  expect(await readFile(path, 'utf8'), 'docs/deployment-file.md is stale: npm run generate').toBe(content);
  const silent = fieldsOf(deploymentFileSchema()).filter(({ schema }) => schema.description === undefined);
  expect(silent.map(({ path }) => path)).toEqual([]);
  for (const field of fieldsOf(deploymentFileSchema())) expect(content).toContain(`\`${field.path}\``);
});

test('the deployment file that the page shows is accepted', async () => {
  const { content } = await deploymentReference();
  const block = /```yaml\n(# yaml[^`]*)```/.exec(content)?.[1] ?? '';
  expect(parseDeployment(block, 'docs/deployment-file.md').name).toBe('orders');
});

test('every example of a deployment is accepted under its own name', async () => {
  const folder = join(examples, 'deployments');
  const files = await readdir(folder);
  expect(files.length).toBeGreaterThan(0);
  for (const file of files)
    expect(
      parseDeployment(await readFile(join(folder, file), 'utf8'), file, basename(file, '.yaml')).seeds,
    ).not.toEqual([]);
});

test('every workflow and signal has an example input that its schema accepts', async () => {
  for (const [name, schema] of Object.entries(inputSchemas)) {
    const input: unknown = JSON.parse(await readFile(join(examples, `${name}.json`), 'utf8'));
    expect(schema.safeParse(input).error, `examples/${name}.json`).toBeUndefined();
  }
});

// A signal that was added without `npm run generate` would be missing from the page that scripts are written by.
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { inputSchemas } from '../../model/inputs.js';
import { controlNames, queryNames, searchAttributes, workflowTypes } from '../../model/names.js';
import { namesReference } from '../../scripts/generate/names.js';

test('docs/names.md is what the source gives', async () => {
  const { path, content } = await namesReference();
  expect(await readFile(path, 'utf8'), 'docs/names.md is stale: npm run generate').toBe(content);
});

test('docs/names.md names every workflow, signal, query and search attribute, and explains every field', async () => {
  const { content } = await namesReference();
  for (const name of [...workflowTypes, ...controlNames, ...queryNames, ...Object.values(searchAttributes)])
    expect(content).toContain(`| \`${name}\` |`);
  for (const [name, schema] of Object.entries(inputSchemas)) {
    const { properties = {} } = z.toJSONSchema(schema, { io: 'input' });
    for (const [field, it] of Object.entries(properties)) {
      expect(content).toContain(`| \`${name}\` | \`${field}\` |`);
      expect(it, `${name}.${field} has no description`).toHaveProperty('description');
    }
  }
});

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { format } from 'prettier';
import { z } from 'zod';
import { deploymentSchema } from '../../model/deployment.js';
import { inputSchemas } from '../../model/inputs.js';

/** A file that is made from the source, and what it should hold. */
export interface Generated {
  /** Absolute. */
  path: string;
  content: string;
}

interface Source {
  name: string;
  title: string;
  schema: z.ZodType;
}

const sources: readonly Source[] = [
  { name: 'deployment', title: 'A deployment file of redis-rollout', schema: deploymentSchema },
  ...Object.entries(inputSchemas).map(([name, schema]) => ({ name, title: `Input of \`${name}\``, schema })),
];

const folder = fileURLToPath(new URL('../../examples/schema/', import.meta.url));

/** The JSON schema of everything that a person writes: the deployment file and the input of each workflow and signal. */
export function schemaFiles(): Promise<Generated[]> {
  return Promise.all(
    sources.map(async ({ name, title, schema }) => {
      // `input`: as it is written, durations as text and defaults left out, not as the code sees it.
      const { $schema, ...rest } = z.toJSONSchema(schema, { io: 'input', reused: 'inline' });
      const document = { $schema, title, ...rest };
      return {
        path: `${folder}${name}.schema.json`,
        content: await format(JSON.stringify(document), { parser: 'json', printWidth: 120 }),
      };
    }),
  );
}

/** Writes what differs; returns the files that did. */
export async function writeGenerated(files: readonly Generated[]): Promise<string[]> {
  const written: string[] = [];
  for (const { path, content } of files) {
    if ((await readFile(path, 'utf8').catch(() => undefined)) === content) continue;
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
    written.push(path);
  }
  return written;
}

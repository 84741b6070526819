import { relative } from 'node:path';
import { deploymentReference } from './generate/deployment-reference.js';
import { generateDirectives } from './generate/directives.js';
import { generateMeasured } from './generate/measured.js';
import { namesReference } from './generate/names.js';
import { schemaFiles, writeGenerated } from './generate/schemas.js';

/** Everything that is made from the source or from real servers and kept in the repository. Each names what it wrote. */
const generators: Readonly<Record<string, () => Promise<string[]>>> = {
  schemas: async () => writeGenerated(await schemaFiles()),
  'deployment-reference': async () => writeGenerated([await deploymentReference()]),
  names: async () => writeGenerated([await namesReference()]),
  directives: generateDirectives,
  measured: generateMeasured,
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in generators));
if (unknown.length > 0) {
  console.error(`no generator ${unknown.join(', ')}; there are ${Object.keys(generators).join(', ')}`);
  process.exit(2);
}
for (const [name, generate] of Object.entries(generators)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const written = await generate();
  console.log(
    `${name}: ${written.length === 0 ? 'nothing changed' : written.map((path) => relative('.', path)).join(', ')}`,
  );
}

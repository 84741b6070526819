import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { recordedReleases } from '../../../model/configuration.js';
import { findServers } from '../../../platforms/process/servers.js';
import { askServer, categoriesFile, directivesFile } from '../../../scripts/generate/directives.js';

const read = async (file: string): Promise<unknown> => JSON.parse(await readFile(file, 'utf8').catch(() => '{}'));

// The oldest and two of the newest; `npm run generate` asks all of them.
test.each(['5.0.6', '8.2.3', 'valkey-9.1.2'])('what is recorded of %s is what the server has', async (release) => {
  expect(await askServer(release)).toEqual({
    directives: await read(directivesFile(release)),
    categories: await read(categoriesFile(release)),
  });
});

test('every server at hand has been asked', async () => {
  expect([...(await findServers()).keys()].filter((it) => !recordedReleases.includes(it))).toEqual([]);
});

// A table of commands that is not the server's would call a command gone that is there.
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { measuredReleases } from '../../../model/knowledge/measured.js';
import { findServers } from '../../../platforms/process/servers.js';
import { measuredFile, measureServer } from '../../../scripts/generate/measured.js';

// The oldest and two of the newest; `npm run generate` asks all of them.
test.each(['5.0.6', '8.2.3', 'valkey-9.1.2'])('what is measured of %s is what the server has', async (release) => {
  const recorded: unknown = JSON.parse(await readFile(measuredFile(release), 'utf8'));
  expect(await measureServer(release)).toEqual(recorded);
});

test('every server at hand has been asked', async () => {
  expect([...(await findServers()).keys()].filter((it) => !measuredReleases.includes(it))).toEqual([]);
});

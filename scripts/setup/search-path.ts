import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { cacheFolder } from '../../launch/cache.mjs';

/** Every program of one of these names on PATH, in PATH's order. */
export async function onPath(...names: string[]): Promise<string[]> {
  const found: string[] = [];
  for (const folder of (process.env['PATH'] ?? '').split(delimiter))
    for (const name of names)
      if (folder !== '' && (await isExecutable(join(folder, name)))) found.push(join(folder, name));
  return found;
}

/** The program that set-up would use: the first on PATH under one of these names, else the cache's; undefined for none. */
export async function locate(...names: [string, ...string[]]): Promise<string | undefined> {
  const [first] = await onPath(...names);
  if (first !== undefined) return first;
  const cached = join(cacheFolder(), 'bin', names[0]);
  return (await isExecutable(cached)) ? cached : undefined;
}

export const isExecutable = (path: string): Promise<boolean> =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  );

/** Chromium or Chrome, under the names that distributions and macOS give it. */
export const chromiumNames = [
  'chromium',
  'chromium-browser',
  'google-chrome-stable',
  'google-chrome',
  'chromium-headless-shell',
] as const;

const macChrome = '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome';

export const chromiumProgram = async (): Promise<string | undefined> =>
  (await locate(...chromiumNames)) ?? ((await isExecutable(macChrome)) ? macChrome : undefined);

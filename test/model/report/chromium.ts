import { chromium, type Browser } from 'playwright-core';
import { chromiumNames, chromiumProgram } from '../../../scripts/setup/search-path.js';

/** A browser that talks to nobody: what a page loads is then the page's own doing. */
const quiet = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Chromium of PATH or of the set-up's cache. Throws, saying how to get one, when there is none. */
export async function launchChromium(): Promise<Browser> {
  const executablePath = await chromiumProgram();
  if (executablePath === undefined)
    throw new Error(
      `no Chromium: looked for ${chromiumNames.join(', ')} on PATH and in the cache. Run \`npm run setup\`, or install it (Debian: apt-get install chromium).`,
    );
  return chromium.launch({ executablePath, args: quiet });
}

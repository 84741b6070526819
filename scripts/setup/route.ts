import type { Debian } from './debian.js';
import type { Downloads } from './download.js';
import type { Source } from './store.js';

/** What the ways of one run share. */
export interface Tools {
  downloads: Downloads;
  debian: Debian;
  signal?: AbortSignal;
  /** Says what takes long. */
  note: (text: string) => void;
}

/** One way of getting a component. */
export interface Route {
  /** As it is printed: `Debian package (trixie)`. */
  name: string;
  /**
   * Puts the programs under `folder/bin` and returns what was downloaded. Whatever it throws is printed in one line, and
   * the next way is tried.
   */
  obtain(folder: string, tools: Tools): Promise<readonly Source[]>;
}

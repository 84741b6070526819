import { nearestRelease } from '../configuration/directives.js';
import type { CommandTable } from './command-table.js';
import redis5_0_6 from './measured/5.0.6.json' with { type: 'json' };
import redis6_0_16 from './measured/6.0.16.json' with { type: 'json' };
import redis6_2_14 from './measured/6.2.14.json' with { type: 'json' };
import redis7_0_15 from './measured/7.0.15.json' with { type: 'json' };
import redis7_2_4 from './measured/7.2.4.json' with { type: 'json' };
import redis7_4_1 from './measured/7.4.1.json' with { type: 'json' };
import redis8_0_2 from './measured/8.0.2.json' with { type: 'json' };
import redis8_0_6 from './measured/8.0.6.json' with { type: 'json' };
import redis8_2_3 from './measured/8.2.3.json' with { type: 'json' };
import valkey8_1_1 from './measured/valkey-8.1.1.json' with { type: 'json' };
import valkey9_1_2 from './measured/valkey-9.1.2.json' with { type: 'json' };

/** What the real server of a release has, without a module and with the configuration that it comes with. */
export interface Measured {
  commands: CommandTable;
  /** What a Lua script may name without having made it, sorted. */
  globals: readonly string[];
}

/** As the real servers said (`npm run generate`). */
const recorded: Readonly<Record<string, Measured>> = {
  '5.0.6': redis5_0_6,
  '6.0.16': redis6_0_16,
  '6.2.14': redis6_2_14,
  '7.0.15': redis7_0_15,
  '7.2.4': redis7_2_4,
  '7.4.1': redis7_4_1,
  '8.0.2': redis8_0_2,
  '8.0.6': redis8_0_6,
  '8.2.3': redis8_2_3,
  'valkey-8.1.1': valkey8_1_1,
  'valkey-9.1.2': valkey9_1_2,
};

export const measuredReleases: readonly string[] = Object.keys(recorded);

/** Of the release itself, else of the nearest one of its flavour that was asked; `release` says which. */
export function measuredOf(text: string): Measured & { release: string } {
  const release = nearestRelease(text, measuredReleases);
  return { ...(recorded[release] ?? { commands: {}, globals: [] }), release };
}

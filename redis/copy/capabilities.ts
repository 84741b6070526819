import { atLeast, release } from '../../model/release.js';

/** What of the data a release can hold, and by which commands. */
export interface Capabilities {
  /** Function libraries (7.0). */
  functions: boolean;
  /** Fields of a hash expire (Redis 7.4, Valkey 9.0). */
  fieldExpiry: boolean;
  /** A group's consumer can be created without reading, and a stream trimmed by id (6.2). */
  consumersAndTrimById: boolean;
  /** What a stream and its groups have counted (7.0). */
  streamCounters: boolean;
}

export function capabilitiesOf(text: string): Capabilities {
  const { flavour, major } = release(text);
  const seventh = atLeast(text, 7, 0);
  return {
    functions: seventh,
    fieldExpiry: flavour === 'valkey' ? major >= 9 : atLeast(text, 7, 4),
    consumersAndTrimById: atLeast(text, 6, 2),
    streamCounters: seventh,
  };
}

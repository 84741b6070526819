/**
 * What follows each opcode and each key in an RDB file, as data: the reader walks it and needs no memory of what it has
 * passed. Sources: rdb.c of Redis 5.0 … 8.2 and of Valkey 8.1 and 9.x.
 */
export type Piece =
  /** A length-encoded number, passed over. */
  | 'length'
  /** A string in any encoding, passed over. */
  | 'string'
  /** A string that is kept: the names and values of auxiliary fields. */
  | 'text'
  /** A score of RDB versions before 8: a length byte and digits. */
  | 'score'
  /** A module's value: opcodes, each with its operand, up to 0. */
  | 'module'
  | { bytes: number }
  /** A count, and then so many times the pieces. */
  | { repeat: Layout };

export type Layout = readonly Piece[];

export type KeyType = 'string' | 'list' | 'set' | 'zset' | 'hash' | 'stream' | 'module';

export interface ValueLayout {
  type: KeyType;
  layout: Layout;
  /** A hash with expiry times of its fields (Redis 7.4, Valkey 9.0). */
  fieldExpiry?: true;
}

/** A value that a module has written. */
export const isModule = (code: number): boolean => code === 6 || code === 7;

const milliseconds: Piece = { bytes: 8 };
const streamId: Piece = { bytes: 16 };

/** Version 2 (7.0) knows the first id, the highest deleted one and counters; version 3 (7.2) when a consumer was active. */
function stream(version: 1 | 2 | 3): ValueLayout {
  const since2 = (...pieces: Piece[]): Piece[] => (version >= 2 ? pieces : []);
  const since3 = (...pieces: Piece[]): Piece[] => (version >= 3 ? pieces : []);
  const pending: Piece = { repeat: [streamId, milliseconds, 'length'] };
  const consumers: Piece = { repeat: ['string', milliseconds, ...since3(milliseconds), { repeat: [streamId] }] };
  const groups: Piece = { repeat: ['string', 'length', 'length', ...since2('length'), pending, consumers] };
  const entries: Piece = { repeat: ['string', 'string'] };
  const deletedAndAdded = since2('length', 'length', 'length', 'length', 'length');
  return { type: 'stream', layout: [entries, 'length', 'length', 'length', ...deletedAndAdded, groups] };
}

const packed = (type: KeyType): ValueLayout => ({ type, layout: ['string'] });

const common: Readonly<Record<number, ValueLayout>> = {
  0: { type: 'string', layout: ['string'] },
  1: { type: 'list', layout: [{ repeat: ['string'] }] },
  2: { type: 'set', layout: [{ repeat: ['string'] }] },
  3: { type: 'zset', layout: [{ repeat: ['string', 'score'] }] },
  4: { type: 'hash', layout: [{ repeat: ['string', 'string'] }] },
  5: { type: 'zset', layout: [{ repeat: ['string', { bytes: 8 }] }] },
  7: { type: 'module', layout: ['length', 'module'] },
  9: packed('hash'),
  10: packed('list'),
  11: packed('set'),
  12: packed('zset'),
  13: packed('hash'),
  14: { type: 'list', layout: [{ repeat: ['string'] }] },
  15: stream(1),
  16: packed('hash'),
  17: packed('zset'),
  18: { type: 'list', layout: [{ repeat: ['length', 'string'] }] },
  19: stream(2),
  20: packed('set'),
  21: stream(3),
};

// 22 and 23 come from release candidates of 7.4; 24 and 25 have the earliest expiry in front.
const redisOnly: Readonly<Record<number, ValueLayout>> = {
  22: { type: 'hash', layout: [{ repeat: ['length', 'string', 'string'] }], fieldExpiry: true },
  23: { type: 'hash', layout: ['string'], fieldExpiry: true },
  24: { type: 'hash', layout: [milliseconds, { repeat: ['length', 'string', 'string'] }], fieldExpiry: true },
  25: { type: 'hash', layout: [milliseconds, 'string'], fieldExpiry: true },
};

// Valkey gave 22 a meaning of its own.
const valkeyOnly: Readonly<Record<number, ValueLayout>> = {
  22: { type: 'hash', layout: [{ repeat: ['string', 'string', milliseconds] }], fieldExpiry: true },
};

export const opcodes = {
  slotImport: 243,
  slotInfo: 244,
  function: 245,
  moduleAux: 247,
  idle: 248,
  frequency: 249,
  aux: 250,
  resize: 251,
  expiryMilliseconds: 252,
  expirySeconds: 253,
  selectDatabase: 254,
  end: 255,
} as const;

const commonOpcodes: Readonly<Record<number, Layout>> = {
  [opcodes.slotInfo]: ['length', 'length', 'length'],
  [opcodes.function]: ['string'],
  [opcodes.moduleAux]: ['length', 'length', 'length', 'module'],
  [opcodes.idle]: ['length'],
  [opcodes.frequency]: [{ bytes: 1 }],
  [opcodes.aux]: ['text', 'text'],
  [opcodes.resize]: ['length', 'length'],
  [opcodes.expiryMilliseconds]: [milliseconds],
  [opcodes.expirySeconds]: [{ bytes: 4 }],
};

// The name of the migration, and the slots' ranges.
const valkeyOpcodes: Readonly<Record<number, Layout>> = {
  [opcodes.slotImport]: ['string', { repeat: ['length', 'length'] }],
};

/** A format that this reader knows: by the letters at the head of the file, and its version. */
export interface Dialect {
  name: 'REDIS' | 'VALKEY';
  version: number;
  value(type: number): ValueLayout | undefined;
  opcode(code: number): Layout | undefined;
}

/** Redis 5.0 … 8.2 write versions 9 … 12, Valkey 8.1 writes 11, Valkey 9.0 and 9.1 write `VALKEY080`. */
export function dialect(name: string, version: number): Dialect | undefined {
  if (name === 'REDIS' && version >= 9 && version <= 12)
    return {
      name,
      version,
      value: (type) => common[type] ?? (version >= 12 ? redisOnly[type] : undefined),
      opcode: (code) => commonOpcodes[code],
    };
  if (name === 'VALKEY' && version === 80)
    return {
      name,
      version,
      value: (type) => common[type] ?? valkeyOnly[type],
      opcode: (code) => commonOpcodes[code] ?? valkeyOpcodes[code],
    };
  return undefined;
}

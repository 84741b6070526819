const longestName = 24;

interface Slot<T> {
  name: Buffer;
  value: T;
}

/** Commands by name in any case, found without a string being made: every command of the stream is looked up. */
export class Lookup<T> {
  readonly #slots: (Slot<T>[] | undefined)[] = Array.from({ length: 1024 }, () => undefined);

  constructor(entries: Iterable<[string, T]>) {
    for (const [text, value] of entries) {
      const name = Buffer.from(text.toUpperCase(), 'latin1');
      (this.#slots[hash(name)] ??= []).push({ name, value });
    }
  }

  get(name: Buffer): T | undefined {
    if (name.length > longestName) return undefined;
    const slots = this.#slots[hash(name)];
    if (slots === undefined) return undefined;
    for (const slot of slots) if (isSame(slot.name, name)) return slot.value;
    return undefined;
  }
}

/** Clears the bit by which lower case differs; what else it makes equal, `isSame` tells apart. */
const upper = (byte: number): number => (byte >= 0x61 && byte <= 0x7a ? byte & 0xdf : byte);

function hash(name: Buffer): number {
  let value = name.length;
  for (let at = 0; at < name.length; at++) value = (Math.imul(value, 31) + upper(name[at] ?? 0)) | 0;
  return value & 1023;
}

function isSame(known: Buffer, name: Buffer): boolean {
  if (known.length !== name.length) return false;
  for (let at = 0; at < name.length; at++) if (known[at] !== upper(name[at] ?? 0)) return false;
  return true;
}

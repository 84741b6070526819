import type { Cursor } from './cursor.js';
import type { Layout, Piece } from './layout.js';
import type { Source } from './source.js';

interface Frame {
  layout: Layout;
  index: number;
  rounds: number;
}

// Longer auxiliary values (5.0 keeps whole Lua scripts there) are passed over: memory stays bounded.
const keptText = 4096;

/** Passes over what a layout describes as it arrives, and keeps nothing of it but short texts. */
export class Walk {
  /** What is under way, innermost last. */
  readonly #frames: Frame[] = [];
  readonly texts: (string | undefined)[] = [];
  readonly #cursor: Cursor;

  constructor(readonly source: Source) {
    this.#cursor = source.cursor;
  }

  enter(layout: Layout): void {
    this.#frames.push({ layout, index: 0, rounds: 1 });
  }

  /** Forgets what is under way. */
  abandon(): void {
    this.#frames.length = 0;
  }

  /** Everything that was entered is passed. */
  get done(): boolean {
    return this.#frames.length === 0 && this.#cursor.skipping === 0;
  }

  /** One piece further; false when more bytes are needed, or all is done. */
  step(): boolean {
    const frame = this.#frames.at(-1);
    if (!frame) return false;
    const piece = frame.layout[frame.index];
    if (piece === undefined) {
      frame.index = 0;
      frame.rounds--;
      if (frame.rounds <= 0) this.#frames.pop();
      return true;
    }
    const start = this.#cursor.offset;
    if (this.#cursor.skipping > 0) return false;
    if (!this.#piece(piece, frame, start)) {
      this.#cursor.rewind(start);
      return false;
    }
    return true;
  }

  /** Passes one piece; false, with the cursor anywhere, when it has not arrived whole. */
  #piece(piece: Piece, frame: Frame, start: number): boolean {
    if (typeof piece === 'object') {
      if ('bytes' in piece) {
        frame.index++;
        this.#cursor.skip(piece.bytes);
        return true;
      }
      const rounds = this.source.count();
      if (rounds === undefined) return false;
      frame.index++;
      if (rounds > 0) this.#frames.push({ layout: piece.repeat, index: 0, rounds });
      return true;
    }
    switch (piece) {
      case 'length':
        // Counters such as a group's entries-read are 64 bits wide, and -1 where they are unknown: any value goes.
        if (this.source.number() === undefined) return false;
        break;
      case 'string':
        if (!this.#string(start)) return false;
        break;
      case 'text':
        if (!this.#text(start)) return false;
        break;
      case 'score': {
        const digits = this.#cursor.byte();
        if (digits === undefined) return false;
        if (digits < 253) this.#cursor.skip(digits);
        break;
      }
      case 'module': {
        const code = this.source.number();
        if (code === undefined) return false;
        if (code === 0) break;
        const operand = moduleOperands[Number(code)];
        if (operand === undefined)
          throw this.source.malformed(`a module's value has the unknown opcode ${String(code)}`, start);
        this.#frames.push({ layout: [operand], index: 0, rounds: 1 });
        // The piece stays: further opcodes follow, up to 0.
        return true;
      }
    }
    frame.index++;
    return true;
  }

  #string(start: number): boolean {
    const length = this.#cursor.length();
    if (length === undefined) return false;
    if (length >= 0) {
      if (length > Number.MAX_SAFE_INTEGER) throw this.source.malformed(`a string of ${length} bytes`, start);
      this.#cursor.skip(length);
      return true;
    }
    const sizes = this.source.encoding(~length, start);
    if (sizes === undefined) return false;
    this.#cursor.skip(sizes.bytes);
    return true;
  }

  #text(start: number): boolean {
    const length = this.#cursor.length();
    if (length === undefined) return false;
    const sizes = length >= 0 ? { bytes: length, text: length } : this.source.encoding(~length, start);
    if (sizes === undefined) return false;
    this.#cursor.rewind(start);
    if (sizes.bytes > keptText || sizes.text > keptText) {
      this.texts.push(undefined);
      return this.#string(start);
    }
    const text = this.source.string();
    if (!text) return false;
    this.texts.push(text.toString('utf8'));
    return true;
  }
}

// Signed, unsigned, float, double, string (RDB_MODULE_OPCODE_* of rdb.h).
const moduleOperands: Readonly<Record<number, Piece>> = {
  1: 'length',
  2: 'length',
  3: { bytes: 4 },
  4: { bytes: 8 },
  5: 'string',
};

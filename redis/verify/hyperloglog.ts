export const HEADER = 16;
export const REGISTERS = 16384;
const DENSE_BYTES = (REGISTERS * 6) / 8;

/**
 * Do two strings hold the same HyperLogLog? PFCOUNT writes the cardinality that it has computed into the header, and
 * `hll-sparse-max-bytes` decides on sparse or dense: both may differ between nodes that count the same. False when
 * either is no HyperLogLog. Layout: redis/src/hyperloglog.c.
 */
export function sameHyperLogLog(a: Buffer, b: Buffer): boolean {
  if (!isTagged(a) || !isTagged(b)) return false;
  const [left, right] = [registers(a), registers(b)];
  return left !== undefined && right !== undefined && Buffer.compare(left, right) === 0;
}

/** How its registers are kept; undefined where it is no HyperLogLog. */
export function hyperLogLogOf(bytes: Buffer): 'dense' | 'sparse' | undefined {
  if (!isTagged(bytes) || registers(bytes) === undefined) return undefined;
  return bytes[4] === 0 ? 'dense' : 'sparse';
}

const isTagged = (bytes: Buffer): boolean => bytes.length >= HEADER && bytes.toString('latin1', 0, 4) === 'HYLL';

function registers(bytes: Buffer): Uint8Array | undefined {
  const body = bytes.subarray(HEADER);
  if (bytes[4] === 0) return body.length === DENSE_BYTES ? dense(body) : undefined;
  return bytes[4] === 1 ? sparse(body) : undefined;
}

export function dense(body: Buffer): Uint8Array {
  const out = new Uint8Array(REGISTERS);
  for (let i = 0; i < REGISTERS; i++) {
    const at = (i * 6) >> 3;
    const shift = (i * 6) & 7;
    out[i] = (((body[at] ?? 0) >> shift) | ((body[at + 1] ?? 0) << (8 - shift))) & 63;
  }
  return out;
}

/** Runs: `00nnnnnn` zeros, `01nnnnnn nnnnnnnn` many zeros, `1vvvvvnn` of one value. */
function sparse(body: Buffer): Uint8Array | undefined {
  const out = new Uint8Array(REGISTERS);
  let register = 0;
  for (let at = 0; at < body.length; at++) {
    const opcode = body[at] ?? 0;
    if (opcode >= 0x80) {
      const run = (opcode & 3) + 1;
      if (register + run > REGISTERS) return undefined;
      out.fill(((opcode >> 2) & 31) + 1, register, register + run);
      register += run;
    } else if (opcode >= 0x40) register += (((opcode & 63) << 8) | (body[++at] ?? 0)) + 1;
    else register += (opcode & 63) + 1;
  }
  return register === REGISTERS ? out : undefined;
}

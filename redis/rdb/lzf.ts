/**
 * LZF as Redis stores long strings (lzf_d.c): a control byte below 32 announces that many literals plus one; any other
 * a back reference of three high bits of length and thirteen of distance.
 *
 * @returns undefined when the input is malformed or does not fill `size` exactly
 */
export function decompressLzf(input: Buffer, size: number): Buffer | undefined {
  // All of it is written, or it isn't given out.
  const output = Buffer.allocUnsafe(size);
  const end = input.length;
  let read = 0;
  let written = 0;
  while (read < end) {
    const control = input[read++] ?? 0;
    // Both kinds are too short for a native copy to pay.
    if (control < 32) {
      const literals = control + 1;
      if (read + literals > end || written + literals > size) return undefined;
      for (let i = 0; i < literals; i++) output[written++] = input[read++] ?? 0;
      continue;
    }
    let length = (control >>> 5) + 2;
    if (length === 9) length += input[read++] ?? 0;
    let from = written - ((control & 31) << 8) - (input[read++] ?? 0) - 1;
    if (read > end || from < 0 || written + length > size) return undefined;
    // Byte by byte: a reference may reach into what it is just writing.
    for (let i = 0; i < length; i++) output[written++] = output[from++] ?? 0;
  }
  return written === size ? output : undefined;
}

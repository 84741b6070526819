/**
 * LZF as Redis stores long strings (lzf_d.c): a control byte below 32 announces that many literals plus one; any other
 * a back reference of three high bits of length and thirteen of distance.
 *
 * @returns undefined when the input is malformed or does not fill `size` exactly
 */
export function decompressLzf(input: Buffer, size: number): Buffer | undefined {
  const output = Buffer.alloc(size);
  let read = 0;
  let written = 0;
  const next = (): number => input[read++] ?? Number.NaN;
  while (read < input.length) {
    const control = next();
    if (control < 32) {
      const literals = control + 1;
      if (read + literals > input.length || written + literals > size) return undefined;
      input.copy(output, written, read, read + literals);
      read += literals;
      written += literals;
      continue;
    }
    let length = control >>> 5;
    if (length === 7) length += next();
    const from = written - (((control & 31) << 8) + next()) - 1;
    length += 2;
    if (Number.isNaN(from + length) || from < 0 || written + length > size) return undefined;
    // Byte by byte: a reference may reach into what it is just writing.
    for (let i = 0; i < length; i++) output[written + i] = output[from + i] ?? 0;
    written += length;
  }
  return written === size ? output : undefined;
}

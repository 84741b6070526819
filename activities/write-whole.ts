import { rename, writeFile } from 'node:fs/promises';

/** Writes a file of the operation's folder, for the worker alone: whoever reads sees the old text or the new one. */
export async function writeWhole(path: string, text: string): Promise<void> {
  await writeFile(`${path}.partial`, text, { mode: 0o600 });
  await rename(`${path}.partial`, path);
}

import { statfs } from 'node:fs/promises';
import { freemem, totalmem } from 'node:os';

/** Bytes. */
export interface Room {
  free: number;
  total: number;
}

/** Memory of this machine. A limit of the container holds for the servers that are started here, too. */
export function memoryHere(): Room {
  // Unlimited reads as 0, or as a huge number.
  const limit = process.constrainedMemory();
  return {
    free: Math.min(freemem(), process.availableMemory()),
    total: limit > 0 ? Math.min(totalmem(), limit) : totalmem(),
  };
}

/** The file system of a folder. */
export async function diskAt(folder: string): Promise<Room> {
  const { bavail, blocks, bsize } = await statfs(folder);
  return { free: bavail * bsize, total: blocks * bsize };
}

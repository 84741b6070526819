/** Commands as what is sent: each word its bytes. */
export type Words = Buffer[];

const known = new Map<string, Buffer>();

/** A word of the protocol; the same buffer each time. */
export function word(text: string): Buffer {
  let bytes = known.get(text);
  if (!bytes) known.set(text, (bytes = Buffer.from(text, 'latin1')));
  return bytes;
}

/** Ids, times and counts: not worth keeping. */
export const plain = (value: string | number): Buffer => Buffer.from(String(value), 'latin1');

/** The shortest text that a server reads as the same double. */
export function scoreText(score: number): string {
  if (Object.is(score, -0)) return '-0';
  if (score === Infinity) return 'inf';
  return score === -Infinity ? '-inf' : String(score);
}

export const bytesOf = (commands: readonly Words[]): number => {
  let bytes = 0;
  for (const command of commands) for (const argument of command) bytes += argument.length;
  return bytes;
};

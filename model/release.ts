/** A server release: `5.0.6` is Redis, `valkey-9.1.2` is Valkey. A target may leave out the patch: `8.0`. */
export interface Release {
  flavour: 'redis' | 'valkey';
  major: number;
  minor: number;
  /** Absent in a target that means "the newest 8.0 there is". */
  patch?: number;
}

const pattern = /^(?:(redis|valkey)[- ])?(\d+)\.(\d+)(?:\.(\d+))?$/;

/** Reads `5.0.6`, `8.0`, `redis-7.2.4`, `valkey-9.1`; undefined for anything else. */
export function parseRelease(text: string): Release | undefined {
  const match = pattern.exec(text.trim());
  if (!match) return undefined;
  const [, flavour = 'redis', major, minor, patch] = match;
  return {
    flavour: flavour as Release['flavour'],
    major: Number(major),
    minor: Number(minor),
    ...(patch === undefined ? {} : { patch: Number(patch) }),
  };
}

/** The release of a text that is known to be one; throws `TypeError` otherwise. */
export function release(text: string): Release {
  const parsed = parseRelease(text);
  if (!parsed) throw new TypeError(`'${text}' is no release: expected for example 8.0, 5.0.6 or valkey-9.1`);
  return parsed;
}

export function formatRelease({ flavour, major, minor, patch }: Release): string {
  const number = patch === undefined ? `${major}.${minor}` : `${major}.${minor}.${patch}`;
  return flavour === 'redis' ? number : `valkey-${number}`;
}

/** `Redis 8.0.6`, as a sentence would say it. */
export function nameRelease(text: string): string {
  const { flavour, ...number } = release(text);
  return `${flavour === 'redis' ? 'Redis' : 'Valkey'} ${formatRelease({ flavour: 'redis', ...number })}`;
}

/** Orders two releases of one flavour: negative when `a` is older. A missing patch counts as 0. */
export function compareNumbers(a: Release, b: Release): number {
  return a.major - b.major || a.minor - b.minor || (a.patch ?? 0) - (b.patch ?? 0);
}

/** Does the running release satisfy the target? `8.0.6` satisfies `8.0` and `8.0.6`. */
export function satisfies(running: string, target: string): boolean {
  const [a, b] = [release(running), release(target)];
  return (
    a.flavour === b.flavour &&
    a.major === b.major &&
    a.minor === b.minor &&
    (b.patch === undefined || a.patch === b.patch)
  );
}

/** True when `text` (of Redis) is at least `major.minor`; every Valkey release counts as 7.2 or newer. */
export function atLeast(text: string, major: number, minor: number): boolean {
  const it = release(text);
  if (it.flavour === 'valkey') return major < 7 || (major === 7 && minor <= 2);
  return it.major > major || (it.major === major && it.minor >= minor);
}

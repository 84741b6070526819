const unit = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** `250ms`, `30s`, `15m`, `4h`, `7d` in milliseconds; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/.exec(text.trim());
  if (!match) return undefined;
  return Number(match[1]) * unit[match[2] as keyof typeof unit];
}

/** `12 ms`, `4.1 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
  const pair = (big: number, bigName: string, small: number, smallName: string): string => {
    const whole = Math.floor(ms / big);
    const rest = Math.floor((ms % big) / small);
    return rest === 0 ? `${whole} ${bigName}` : `${whole} ${bigName} ${rest} ${smallName}`;
  };
  if (ms < 3_600_000) return pair(60_000, 'min', 1000, 's');
  if (ms < 86_400_000) return pair(3_600_000, 'h', 60_000, 'min');
  return pair(86_400_000, 'd', 3_600_000, 'h');
}

/** `2026-11-21 11:35:00 UTC`, of an instant as `2026-11-21T11:35:00.123Z`. */
export const formatMoment = (instant: string): string => instant.replace('T', ' ').replace(/(\.\d+)?Z$/, ' UTC');

const binary = { B: 1, kB: 1024, MB: 1024 ** 2, GB: 1024 ** 3, TB: 1024 ** 4 } as const;

/** `64MB`, `1.5GB` in bytes (powers of 1024, as redis.conf has them); undefined for anything else. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*(B|kB|MB|GB|TB)$/.exec(text.trim());
  return match ? Number(match[1]) * binary[match[2] as keyof typeof binary] : undefined;
}

/** `512 B`, `1.4 MB`. */
export function formatSize(bytes: number): string {
  const [name, size] = Object.entries(binary).findLast(([, size]) => bytes >= size) ?? ['B', 1];
  return `${size === 1 ? bytes : (bytes / size).toFixed(1)} ${name}`;
}

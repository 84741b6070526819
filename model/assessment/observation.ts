/** The fewest seconds between two looks, and the most looks: each costs every node an INFO and a CLIENT LIST. */
const LEAST_MS = 10_000;
const MOST_LOOKS = 60;

/** How long to wait between looks at a deployment that is observed for so long, and how many there are, the first included. */
export function looksOver(overMs: number): { looks: number; everyMs: number } {
  if (overMs === 0) return { looks: 1, everyMs: 0 };
  const gaps = Math.min(MOST_LOOKS - 1, Math.max(1, Math.floor(overMs / LEAST_MS)));
  return { looks: gaps + 1, everyMs: Math.round(overMs / gaps) };
}

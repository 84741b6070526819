import { formatDuration } from './duration.js';
import { assumedShape, type LoadShape } from './load-shape.js';
import type { LoadToPlay } from './staging-work.js';

/**
 * What is played on a copy: as the deployment file says; else as the newest assessment measured it, however long ago; else what
 * is assumed.
 *
 * @param now ms
 */
export function loadToPlay(
  said: LoadShape | undefined,
  assessed: { at: string; load: LoadShape } | undefined,
  now: number,
): LoadToPlay {
  if (said) return { shape: said };
  if (assessed) {
    const ago = formatDuration(Math.max(0, now - Date.parse(assessed.at)));
    return { shape: assessed.load, source: `the traffic is as the assessment of ${assessed.at} saw it, ${ago} before` };
  }
  return {
    shape: assumedShape,
    source: 'the traffic is assumed, since staging.load says nothing of it and no assessment has observed any',
  };
}

import type { Popularity } from '../../model/load-shape.js';

/** Draws the number of a key, 0 to `count` - 1, the most popular ones first. */
export const popularKey = (popularity: Popularity, count: number, draw: () => number): (() => number) =>
  popularity.kind === 'uniform' || popularity.exponent === 0
    ? () => Math.floor(draw() * count)
    : zipf(popularity.exponent, count, draw);

/**
 * Zipf's distribution in constant memory and time, whatever the number of keys: rejection-inversion (W. Hörmann and
 * G. Derflinger, Rejection-inversion to generate variates from monotone discrete distributions, 1996), with the forms that
 * stay exact near the exponent 1 (Apache Commons RNG, RejectionInversionZipfSampler).
 */
function zipf(exponent: number, count: number, draw: () => number): () => number {
  const density = (x: number): number => Math.exp(-exponent * Math.log(x));
  const integral = (x: number): number => {
    const log = Math.log(x);
    return growth((1 - exponent) * log) * log;
  };
  const inverse = (y: number): number => Math.exp(shrinkage(Math.max(-1, y * (1 - exponent))) * y);
  const [least, most] = [integral(1.5) - 1, integral(count + 0.5)];
  const accepted = 2 - inverse(integral(2.5) - density(2));
  return () => {
    for (;;) {
      const u = most + draw() * (least - most);
      const x = inverse(u);
      const rank = Math.min(count, Math.max(1, Math.round(x)));
      if (rank - x <= accepted || u >= integral(rank + 0.5) - density(rank)) return rank - 1;
    }
  };
}

/** (e^x - 1) / x, by its series near 0. */
const growth = (x: number): number =>
  Math.abs(x) > 1e-8 ? Math.expm1(x) / x : 1 + (x / 2) * (1 + (x / 3) * (1 + x / 4));

/** ln(1 + x) / x, by its series near 0. */
const shrinkage = (x: number): number =>
  Math.abs(x) > 1e-8 ? Math.log1p(x) / x : 1 - x * (1 / 2 - x * (1 / 3 - x / 4));

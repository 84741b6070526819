import { lineOf, olderLine, releaseLines } from '../compatibility/release-lines.js';
import { release } from '../release.js';
import { knowledgeStep, type KnowledgeStep } from './entry.js';
import redis6_0 from './steps/6.0.json' with { type: 'json' };
import redis6_2 from './steps/6.2.json' with { type: 'json' };
import redis7_0 from './steps/7.0.json' with { type: 'json' };
import redis7_2 from './steps/7.2.json' with { type: 'json' };
import redis7_4 from './steps/7.4.json' with { type: 'json' };
import redis8_0 from './steps/8.0.json' with { type: 'json' };
import redis8_2 from './steps/8.2.json' with { type: 'json' };
import valkey7_2 from './steps/valkey-7.2.json' with { type: 'json' };
import valkey8_0 from './steps/valkey-8.0.json' with { type: 'json' };
import valkey8_1 from './steps/valkey-8.1.json' with { type: 'json' };
import valkey9_0 from './steps/valkey-9.0.json' with { type: 'json' };
import valkey9_1 from './steps/valkey-9.1.json' with { type: 'json' };

let parsed: readonly KnowledgeStep[] | undefined;

/** Every line of releases of which something is known, one file each. */
export const knowledgeSteps = (): readonly KnowledgeStep[] =>
  (parsed ??= [
    ...[redis6_0, redis6_2, redis7_0, redis7_2, redis7_4, redis8_0, redis8_2],
    ...[valkey7_2, valkey8_0, valkey8_1, valkey9_0, valkey9_1],
  ].map((step) => knowledgeStep.parse(step)));

/** Redis' lines up to here are Valkey's past as well. */
const PARTED = '7.2';

/** The lines that one comes by from one release to another, the source's own not among them, oldest first. */
export function linesBetween(from: string, to: string): string[] {
  const past = release(to).flavour === 'valkey' && release(from).flavour === 'redis';
  return releaseLines
    .map(({ line }) => line)
    .filter((line) => {
      const { flavour } = release(line);
      if (past && flavour === 'redis') return olderLine(from, line) && !olderLine(PARTED, line);
      return flavour === release(to).flavour && olderLine(from, line) && !olderLine(lineOf(to), line);
    });
}

/** What is known of each line between the two, oldest first. */
export function stepsBetween(from: string, to: string): KnowledgeStep[] {
  const steps = new Map(knowledgeSteps().map((step) => [step.line, step]));
  return linesBetween(from, to).flatMap((line) => steps.get(line) ?? []);
}

/** Thousands of commands of every type, drawn at random, on a real newer server: an older one ends with the same content. */
import { expect, test } from 'vitest';
import { rewriterFor } from '../../../redis/rewrite/rewriter.js';
import { Sandbox } from '../../../scripts/sandbox/cluster.js';
import { Captured } from './captured.js';
import { contentOf, differences } from './content.js';
import { allKeys, drawing, ofEntries, randomCommands } from './random-commands.js';
import { applyTo, type Outcome } from './standby.js';

const rounds = 30;
const each = 200;
const marginMs = 3_600_000;
const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);

/** From 7.2 on, not even a replica of the same release hears of a consumer that found nothing to read. */
const untold = /: consumer c\d of g\d: 0, undefined on the older$/;

test.each([
  ['8.2.3', '6.2.14'],
  ['8.0.6', '7.0.15'],
  ['8.0.6', '5.0.6'],
  ['8.2.3', '7.4.1'],
  ['valkey-9.1.2', '7.2.4'],
  ['7.0.15', '5.0.6'],
  ['7.2.4', '6.0.16'],
])(`%s → %s: random commands (SEED=${seed})`, async (source, target) => {
  await using newer = await Sandbox.servers(1, { release: source });
  await using older = await Sandbox.servers(1, { release: target });
  await using primary = await newer.connect(undefined, { timeoutMs: 60_000 });
  await using standby = await older.connect(undefined, { timeoutMs: 60_000 });
  await using stream = await Captured.open(primary, newer.endpoint());
  const rewriter = rewriterFor({ source, target, marginMs: () => marginMs });
  const draw = drawing(seed);
  const next = randomCommands(source, draw);
  const outcome: Outcome = { kinds: new Set(), dirty: new Set() };
  let accepted = 0;
  let propagated = 0;
  for (let round = 0; round < rounds; round++) {
    const commands = Array.from({ length: each }, () => next(Date.now()));
    for (const key of allKeys.filter((it) => it.startsWith('stream'))) {
      const entries = (await primary.call('XRANGE', key, '-', '+').catch(() => [])) as [string, unknown][];
      if (entries.length > 0)
        for (let i = 0; i < 3; i++)
          commands.push(
            ofEntries(
              draw,
              key,
              entries.map(([id]) => id),
            ),
          );
    }
    accepted += (await primary.pipeline(commands)).filter((it) => !(it instanceof Error)).length;
    const seen = await stream.take();
    propagated += seen.length;
    await applyTo(standby, rewriter, seen, outcome);
  }
  expect(accepted).toBeGreaterThan(rounds * each * 0.7);
  expect(propagated).toBeGreaterThan(rounds * each * 0.4);
  // What was given a few milliseconds to live ends by the primary's own DEL or HDEL, in its own time.
  let found: string[];
  const deadline = Date.now() + 10_000;
  do {
    await primary.pipeline(allKeys.map((key) => ['PTTL', key]));
    await applyTo(standby, rewriter, await stream.take(), outcome);
    const [a, b] = [await contentOf(primary, source), await contentOf(standby, target)];
    expect(a.size).toBeGreaterThan(allKeys.length / 2);
    found = differences(a, b, { toleranceMs: 5000, marginMs }).filter((it) => !untold.test(it));
  } while (found.length > 0 && Date.now() < deadline);
  expect(found).toEqual([]);
  expect(outcome.dirty).toEqual(new Set());
});

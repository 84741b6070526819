/**
 * Thousands of commands of every type, drawn at random, on a real newer server: an older one ends with the same content.
 * `SEED=n` draws the same again; it stands in each test's name.
 */
import { expect, test } from 'vitest';
import { copyKey } from '../../../redis/copy/copy-key.js';
import { rewriterFor } from '../../../redis/rewrite/rewriter.js';
import { Sandbox } from '../../../scripts/sandbox/cluster.js';
import { Captured } from './captured.js';
import { contentOf, differences } from './content.js';
import { allKeys, bytesOf, drawing, ofEntries, randomCommands } from './random-commands.js';
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
  const outcome: Outcome & { failures: string[] } = { kinds: new Set(), dirty: new Set(), failures: [] };
  /** Takes what was propagated, and copies the keys that need it until none does, each in its place in the stream. */
  const follow = async (): Promise<number> => {
    let seen = await stream.takeWhole();
    let count = 0;
    for (;;) {
      count += seen.length;
      await applyTo(
        standby,
        rewriter,
        seen.map(({ args }) => args),
        outcome,
      );
      const [key] = outcome.dirty;
      if (key === undefined) return count;
      const copy = await copyKey({ primary, key: Buffer.from(key, 'latin1'), target, marginMs });
      const more = await stream.takeWhole();
      const before = more.filter(({ offset }) => offset <= copy.offset).map(({ args }) => args);
      await applyTo(standby, rewriter, before, outcome);
      for (const reply of await standby.pipeline(copy.commands)) if (reply instanceof Error) throw reply;
      outcome.dirty.delete(key);
      seen = more.slice(before.length);
    }
  };
  let accepted = 0;
  let propagated = 0;
  for (let round = 0; round < rounds; round++) {
    const commands = Array.from({ length: each }, () => next(Date.now()));
    for (const key of allKeys.filter((it) => it.startsWith('stream'))) {
      const entries = (await primary.call('XRANGE', bytesOf(key), '-', '+').catch(() => [])) as [string, unknown][];
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
    propagated += await follow();
  }
  expect(accepted).toBeGreaterThan(rounds * each * 0.7);
  expect(propagated).toBeGreaterThan(rounds * each * 0.4);
  // What was given a few milliseconds to live ends by the primary's own DEL or HDEL, in its own time.
  let found: string[] = [];
  let failure: unknown;
  const deadline = Date.now() + 10_000;
  do {
    await primary.pipeline(allKeys.map((key) => ['PTTL', bytesOf(key)]));
    await follow();
    failure = undefined;
    try {
      const [a, b] = [await contentOf(primary, source), await contentOf(standby, target)];
      expect(a.size).toBeGreaterThan(allKeys.length / 2);
      // Valkey's COPY of a hash whose fields have all expired leaves one without fields, which no command can fill.
      for (const [key, { type, parts }] of a) if (type === 'hash' && parts.size === 0) a.delete(key);
      found = differences(a, b, { toleranceMs: 5000, marginMs }).filter((it) => !untold.test(it));
    } catch (error) {
      // A key or its last field has ended while it was read.
      failure = error;
    }
  } while ((failure !== undefined || found.length > 0) && Date.now() < deadline);
  if (failure !== undefined) throw failure as Error;
  expect(found).toEqual([]);
  // About a hash without fields, which the older one doesn't have.
  const failures = outcome.failures.filter((it) => !source.startsWith('valkey') || !/^\w+ hash:/.test(it));
  expect(failures).toEqual([]);
});

/** Every form of every write command, on real servers: what the newer one propagates has the same effect on the older. */
import { expect, test } from 'vitest';
import { knowsSince } from '../../../model/compatibility/knows-since.js';
import { rewriterFor } from '../../../redis/rewrite/rewriter.js';
import { Sandbox } from '../../../scripts/sandbox/cluster.js';
import { Captured } from './captured.js';
import { contentOf, differences } from './content.js';
import { isNamed, readForms, run } from './read-forms.js';
import { applyTo } from './standby.js';
import { usually } from '../../thorough.js';

const forms = await readForms();
const databases = [0, 1, 2, 3];

export const pairs: [string, string][] = [
  ['8.2.3', '5.0.6'],
  ['valkey-9.1.2', '7.2.4'],
  ['7.4.1', '7.2.4'],
  ['8.0.6', '7.0.15'],
  ['7.2.4', '6.2.14'],
  ['6.2.14', '5.0.6'],
  ['8.2.3', '6.2.14'],
  ['8.2.3', '7.0.15'],
  ['8.2.3', '7.4.1'],
  ['8.2.3', '8.0.6'],
  ['8.0.6', '5.0.6'],
  ['8.0.6', '6.0.16'],
  ['7.0.15', '5.0.6'],
  ['7.0.15', '6.0.16'],
  ['6.2.14', '6.0.16'],
  ['valkey-9.1.2', 'valkey-8.1.1'],
  ['valkey-8.1.1', '7.2.4'],
  ['valkey-8.1.1', '5.0.6'],
];

test.each(usually(6, pairs))('%s → %s: each form has the same effect', async (source, target) => {
  const mine = forms.filter((form) => knowsSince(source, form.since));
  expect(mine.length).toBeGreaterThan(150);
  await using newer = await Sandbox.servers(1, { release: source });
  await using older = await Sandbox.servers(1, { release: target });
  await using primary = await newer.connect();
  await using standby = await older.connect();
  await using stream = await Captured.open(primary, newer.endpoint());
  const failed: string[] = [];
  for (const [i, form] of mine.entries()) {
    const marginMs = i % 2 === 0 ? 0 : 3_600_000;
    const rewriter = rewriterFor({ source, target, marginMs: () => marginMs });
    for (const node of [primary, standby]) {
      await node.call('SELECT', 0);
      await node.call('FLUSHALL');
    }
    if (knowsSince(source, '7.0')) await primary.call('FUNCTION', 'FLUSH');
    if (knowsSince(target, '7.0')) await standby.call('FUNCTION', 'FLUSH');
    await stream.take();
    const now = Date.now();
    await run(primary, form.given, now);
    await primary.call('SELECT', 0);
    const given = await applyTo(standby, rewriter, await stream.take());
    await run(primary, form.when, now);
    const commands = await stream.take();
    const say = (what: string): number =>
      failed.push(
        `${form.text}\n    ${what}\n    propagated: ${commands.map((c) => c.map(String).join(' ')).join(' ; ')}`,
      );
    try {
      const { kinds, dirty } = await applyTo(standby, rewriter, commands, { kinds: new Set(), dirty: given.dirty });
      const worse = ['recopy', 'unrepresentable', 'lossy'].filter((it) => kinds.has(it));
      const [expected] = form.becomes.split(' ');
      // `untold`: not even a replica of its own release hears of it.
      if (form.becomes === 'recopied by version' || form.becomes === 'untold') continue;
      if ((expected !== '' && isNamed(form.becomes, source, target)) !== worse.length > 0)
        say(`became ${[...kinds].join()}`);
      for (const db of /SELECT|DB|MOVE|FLUSH/i.test(form.text) ? databases : [0]) {
        await Promise.all([primary.call('SELECT', db), standby.call('SELECT', db)]);
        const [a, b] = [await contentOf(primary, source), await contentOf(standby, target)];
        const lost = kinds.has('unrepresentable') && [...a.values()].some((it) => it.type === 'vectorset');
        const skip = lost ? new Set(a.keys()) : dirty;
        for (const it of differences(a, b, { toleranceMs: 5000, marginMs, skip })) say(`${db}/${it}`);
      }
    } catch (error) {
      say(String(error));
    }
  }
  expect(failed).toEqual([]);
});

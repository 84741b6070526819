import { expect, test } from 'vitest';
import { cutOver } from '../../../redis/standby/cut-over.js';
import { standbyStage } from './stage.js';
import { startWriting } from './writer.js';
import { usually } from '../../thorough.js';

const pairs = [
  ['8.0.6', '5.0.6'],
  ['valkey-9.1.2', '7.2.4'],
  ['7.0.15', '5.0.6'],
  ['8.0.6', '7.0.15'],
  ['8.2.3', '6.2.14'],
] as const;

test.each(usually(2, pairs))(
  '%s to %s: no acknowledged write is lost, and every node shows the standby as the owner',
  async (release, older) => {
    await using stage = await standbyStage(release, older);
    await stage.follow();
    await using writing = startWriting(stage);
    await writing.written(500);
    const result = await cutOver(stage.input);
    expect(result).toMatchObject({ already: false });
    expect(result.gapMs).toBeGreaterThan(0);
    await writing.written(500);
    await writing.stop();
    expect(await writing.lost()).toEqual([]);
    expect(writing.failed).toEqual([]);
    expect(await cutOver(stage.input)).toMatchObject({ already: true, gapMs: 0 });
  },
  240_000,
);

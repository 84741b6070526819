/** A follower that begins anew puts every expiry off by an hour again: the slots must not be taken with that. */
import { expect, test } from 'vitest';
import { cutOver } from '../../../redis/standby/cut-over.js';
import { ExpiriesLate } from '../../../redis/standby/expiries-late.js';
import { RECORD, standbyStage } from './stage.js';
import { watched } from './watched.js';
import { startWriting } from './writer.js';

const moments = { 'before it is rehearsed': 'SCRIPT', 'right before the slots are taken': 'ASKING+EVALSHA' };

test.concurrent.each(Object.entries(moments))(
  'expiries that are late again %s: refused, writes go on, and it is done once they are right',
  async (_, moment) => {
    await using stage = await standbyStage('8.0.6', '5.0.6');
    await stage.follow();
    await using writing = startWriting(stage);
    await writing.written(100);
    await using standby = await stage.extra.connect(stage.standby);
    const note = (exact: string) => standby.pipeline([['ASKING'], ['HSET', RECORD, 'exact', exact]]);

    const { connectToAct } = watched(stage.endpoint, {
      before: async (label) => {
        if (label === moment) await note('');
      },
    });
    await expect(cutOver({ ...stage.input, connectToAct })).rejects.toBeInstanceOf(ExpiriesLate);
    await writing.written(100);

    await note('0-5460');
    expect(await cutOver(stage.input)).toMatchObject({ already: false });
    await writing.written(100);
    expect(await writing.lost()).toEqual([]);
    expect(writing.failed).toEqual([]);
  },
  240_000,
);

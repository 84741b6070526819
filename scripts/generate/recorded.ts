import { realpathSync } from 'node:fs';
import { homedir, hostname } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import proto from '@temporalio/proto';

const { History: HistoryMessage } = proto.temporal.api.history.v1;
export type History = proto.temporal.api.history.v1.IHistory;

export const project = fileURLToPath(new URL('../../', import.meta.url));
/** In a worktree it may be a link to another's: stack traces name where it is. */
const modules = realpathSync(join(project, 'node_modules'));

/** A history as it lies in the repository. */
export const recorded = (history: History): string => neutral(historyToJson(history));

/** As JSON with names for numbers, which `historyFromJson` of the replay tests reads. */
const historyToJson = (history: History): string =>
  JSON.stringify(
    HistoryMessage.toObject(HistoryMessage.fromObject(history), { enums: String, bytes: String, longs: String }),
  );

/** The machine that recorded it is nobody's business: its name and folders go, in payloads too. */
function neutral(json: string): string {
  const clean = (text: string): string =>
    text
      .replaceAll(modules, '/redis-rollout/node_modules')
      .replaceAll(project, '/redis-rollout/')
      .replaceAll(homedir(), '/home/rollout')
      .replaceAll(`@${hostname()}`, '@worker');
  const visit = (value: unknown, key?: string): unknown => {
    if (typeof value === 'string')
      return key === 'data'
        ? Buffer.from(clean(Buffer.from(value, 'base64').toString())).toString('base64')
        : clean(value);
    if (Array.isArray(value)) return value.map((it) => visit(it));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, it]) => [name, visit(it, name)]));
  };
  return JSON.stringify(visit(JSON.parse(json)));
}

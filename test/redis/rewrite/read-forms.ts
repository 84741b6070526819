import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { release } from '../../../model/release.js';
import type { NodeConnection } from '../../../redis/connection.js';
import { knowsSince } from '../../../model/compatibility/knows-since.js';

/** One line of `forms/*.txt`: what a primary is told, and what may become of it where it can't be exact by itself. */
export interface Form {
  text: string;
  since: string;
  given: Buffer[][];
  when: Buffer[][];
  /** `recopied <8.2`: dirty when the target is older than that, and never otherwise. */
  becomes: string;
}

const folder = new URL('./forms/', import.meta.url);

export async function readForms(): Promise<Form[]> {
  const forms: Form[] = [];
  for (const name of (await readdir(folder)).sort())
    for (const line of (await readFile(new URL(name, folder), 'utf8')).split('\n'))
      if (line !== '' && !line.startsWith('#')) forms.push(parseForm(line));
  return forms;
}

function parseForm(text: string): Form {
  const [since = '', given = '', when = '', becomes = ''] = text.split('|').map((it) => it.trim());
  return { text: `${given} | ${when}`, since, given: commandsOf(given), when: commandsOf(when), becomes };
}

/** Split at `;`, then at spaces, but neither within quotes; `\xNN`, `\r` and `\n` within quotes are bytes. */
function commandsOf(text: string): Buffer[][] {
  const commands: Buffer[][] = [[]];
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|;|\{[^}]*\}|[^\s;]+/g))
    if (token === ';') commands.push([]);
    else commands.at(-1)?.push(token.startsWith('"') ? unquoted(token) : Buffer.from(token));
  return commands.filter((it) => it.length > 0);
}

const bytes: Record<string, string> = { r: '\r', n: '\n' };
const unquoted = (token: string): Buffer =>
  Buffer.from(
    token
      .slice(1, -1)
      .replace(/\\(?:x([0-9a-f]{2})|(.))/gi, (_, hex: string | undefined, letter: string) =>
        hex === undefined ? (bytes[letter] ?? letter) : String.fromCharCode(parseInt(hex, 16)),
      ),
    'latin1',
  );

/** Does `recopied <7.4 <valkey-9.0` name this target, or `recopied from valkey 9.0` this source? Without either it names all. */
export function isNamed(becomes: string, source: string, target: string): boolean {
  const { flavour, major, minor } = release(target);
  const limits = becomes.split(' ').slice(1);
  if (limits.length === 0) return true;
  if (limits[0] === 'from') return knowsSince(source, limits.slice(1).join(' '));
  const own = limits.find((it) => it.startsWith('<valkey-') === (flavour === 'valkey'));
  return own !== undefined && major + minor / 100 < versionOf(own.replace(/^<(valkey-)?/, ''));
}

function versionOf(text = ''): number {
  const [major, minor] = text.split('.').map(Number);
  return (major ?? 0) + (minor ?? 0) / 100;
}

/** Runs a form's commands, `{…}` among them filled in. */
export async function run(node: NodeConnection, commands: readonly Buffer[][], now: number): Promise<unknown[]> {
  const replies: unknown[] = [];
  for (const command of commands) {
    const [name = '', key = '', last = ''] = String(command[0]).replace(/[{}]/g, '').split(' ');
    if (name === 'wait') await sleep(Number(key));
    else if (name === 'dump') {
      const payload = (await node.callBuffer('DUMP', key)) as Buffer;
      replies.push(await node.call('RESTORE', last, 0, payload));
    } else if (name === 'many') {
      const adds = Array.from({ length: Number(last) }, (_, i) => ['XADD', key, `1-${i + 1}`, 'n', i]);
      replies.push(...(await node.pipeline(adds)));
    } else {
      const [called, ...args] = command.map((it) => moment(it, now));
      replies.push(await node.call(String(called), ...args));
    }
  }
  return replies;
}

/** `{+100s}` and `{+5000ms}`: that much later than now, as a Unix time. */
function moment(argument: Buffer, now: number): Buffer {
  const match = /^\{\+(\d+)(ms|s)\}$/.exec(argument.toString('latin1'));
  if (!match) return argument;
  const by = Number(match[1]);
  return Buffer.from(String(match[2] === 's' ? Math.floor(now / 1000) + by : now + by));
}

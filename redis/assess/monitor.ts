import { patternOf } from '../../model/assessment/pattern.js';
import type { ClientSeen, Watched } from '../../model/assessment/survey.js';
import { addressOf, splitAddress, type Endpoint } from '../../model/endpoint.js';
import { RolloutError } from '../../model/failures.js';
import type { CommandTable } from '../../model/knowledge/command-table.js';
import { dial, readyEvent } from '../socket.js';

/** Commands that are looked at, at the most: a busy server sends more than anybody reads. */
const MOST_COMMANDS = 50_000;
const MOST_PATTERNS = 200;

export interface MonitorOptions {
  endpoint: Endpoint;
  forMs: number;
  /** Where a command's first key is. */
  commands: CommandTable;
  /** Whose address is whose. */
  applicationAt: (address: string) => string;
  signal: AbortSignal;
}

interface Tallied {
  commands: Record<string, number>;
  patterns: Record<string, number>;
}

/**
 * Listens to MONITOR for a while, and keeps of each command its name and the pattern of its first key: no value, and no
 * key. It costs the server as much again as the commands themselves, so it is for when somebody asks for it.
 *
 * @throws RolloutError Unreachable, MissingPermission
 */
export async function watchCommands(options: MonitorOptions): Promise<Watched[]> {
  const { endpoint, forMs, signal } = options;
  const found = new Map<string, Tallied>();
  const socket = dial(endpoint);
  let [rest, seen] = ['', 0];
  try {
    await new Promise<void>((resolve, reject) => {
      const refuse = (error: Error): void =>
        reject(new RolloutError('Unreachable', `${addressOf(endpoint)}: MONITOR: ${error.message}`, { cause: error }));
      socket.once('error', refuse);
      socket.once('close', () => resolve());
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      socket.once(readyEvent(endpoint), () => {
        const { username, password, commands = {} } = endpoint;
        if (password !== undefined)
          socket.write(wire(['AUTH', ...(username === undefined ? [] : [username]), password]));
        socket.write(wire([commands['MONITOR'] ?? 'MONITOR']));
        setTimeout(resolve, forMs).unref();
      });
      socket.on('data', (chunk: Buffer) => {
        rest += chunk.toString('latin1');
        const lines = rest.split('\r\n');
        rest = lines.pop() ?? '';
        for (const line of lines) {
          if (line.startsWith('-'))
            reject(new RolloutError('MissingPermission', `${addressOf(endpoint)}: MONITOR: ${line.slice(1)}`));
          else if (tally(line, options, found)) seen++;
        }
        if (seen >= MOST_COMMANDS) resolve();
      });
    });
  } finally {
    socket.destroy();
  }
  return [...found].map(([application, it]) => ({ application, ...it }));
}

const wire = (words: readonly string[]): string =>
  `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;

/** `+1339518083.107412 [0 127.0.0.1:60866] "get" "cart:7"`; `lua` stands for the address of what a script calls. */
const LINE = /^\+\d+\.\d+ \[\d+ (\S+)\] (.*)$/;
const WORD = /"((?:[^"\\]|\\.)*)"/g;

function tally(line: string, { commands, applicationAt }: MonitorOptions, found: Map<string, Tallied>): boolean {
  const [, address, text] = LINE.exec(line) ?? [];
  if (address === undefined || text === undefined) return false;
  const words = [...text.matchAll(WORD)].slice(0, 8).map(([, word = '']) => word);
  const name = (words[0] ?? '').toLowerCase();
  const below = `${name}|${(words[1] ?? '').toLowerCase()}`;
  const command = below in commands ? below : name;
  const application = address === 'lua' ? '(scripts)' : applicationAt(address);
  const known = found.get(application) ?? { commands: {}, patterns: {} };
  found.set(application, known);
  known.commands[command] = (known.commands[command] ?? 0) + 1;
  const at = commands[command]?.key;
  const key = at === undefined ? undefined : words[at];
  if (key === undefined) return true;
  const pattern = patternOf(key);
  if (pattern in known.patterns || Object.keys(known.patterns).length < MOST_PATTERNS)
    known.patterns[pattern] = (known.patterns[pattern] ?? 0) + 1;
  return true;
}

/** Which application an address is, by what CLIENT LIST said of it; else its host. */
export function applicationsBy(clients: readonly ClientSeen[]): (address: string) => string {
  const known = new Map(clients.map(({ address, application }) => [address, application]));
  return (address) => known.get(address) ?? splitAddress(address).host;
}

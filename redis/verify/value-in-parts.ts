import type { KeyType } from '../rdb/layout.js';
import { readDump } from '../rdb/dump.js';
import type { Elements } from '../rdb/elements.js';
import { ErrorReply, textOf, type Command, type Reply } from '../resp.js';
import { after, fieldOf } from './chunks.js';
import { refusal, type Pipe } from './pipe.js';
import { planReads } from './plan.js';
import { ValueDigest } from './value-digest.js';
import { elements, isValueType, lengthCommand, score, type ValueType } from './values.js';

/** Of a string, bytes; of a list of pending entries, entries. */
const STRING_BYTES = 512 * 1024;
const PENDING = 512;

/** The key is of another type by now, or gone. */
export const otherType = Symbol('of another type');

/**
 * The digest of a large value as `ValueDigest('pages')` makes it of a snapshot: read in parts, so that neither the node stands
 * still for all of it nor anybody holds it. A set or a hash that is scanned while its table is resized may come with elements
 * twice, which the count tells: only then it is asked for whole.
 *
 * @throws RolloutError MissingPermission, NotCaughtUp, RolesUnsettled, Unreachable, NodeHung
 */
export async function digestInParts(
  pipe: Pipe,
  key: Buffer,
  type: KeyType,
): Promise<string | undefined | typeof otherType> {
  if (!isValueType(type)) return undefined;
  const [plan] = await planReads({ pipe, role: 'primary', pexpiretime: false }, [{ key, type }]);
  if (!plan) return otherType;
  const reading = new Reading(pipe, key);
  return (await reading.all(type, plan.step)) ? reading.digest.value() : otherType;
}

class Reading {
  digest = new ValueDigest('pages');

  constructor(
    private readonly pipe: Pipe,
    private readonly key: Buffer,
  ) {}

  /** False where it is of another type by now. */
  all(type: ValueType, step: number): Promise<boolean> {
    switch (type) {
      case 'string':
        return this.#pages('GETRANGE', STRING_BYTES, (value) => ({ type, value: value as Buffer }));
      case 'list':
        return this.#pages('LRANGE', step, (reply) => ({ type, elements: reply as Buffer[] }));
      case 'zset':
        return this.#pages('ZRANGE', step, (reply) => scored(reply as Reply[]), 'WITHSCORES');
      case 'set':
      case 'hash':
        return this.#scanned(type, step);
      case 'stream':
        return this.#stream(step);
    }
  }

  /** By ranges, each as long as what was asked for but the last. */
  async #pages(command: string, step: number, part: (reply: Reply) => Elements, ...more: string[]): Promise<boolean> {
    for (let at = 0; ; at += step) {
      const reply = await this.#ask([command, this.key, at, at + step - 1, ...more]);
      if (reply === otherType || (!Buffer.isBuffer(reply) && !Array.isArray(reply))) return false;
      const length = more.length > 0 ? reply.length / 2 : reply.length;
      if (length > 0) this.digest.add(part(reply));
      if (length < step) return true;
    }
  }

  async #scanned(type: 'set' | 'hash', step: number): Promise<boolean> {
    let seen = 0;
    for (let cursor = '0'; ;) {
      const reply = await this.#ask([type === 'set' ? 'SSCAN' : 'HSCAN', this.key, cursor, 'COUNT', step]);
      if (!Array.isArray(reply) || !Array.isArray(reply[1])) return false;
      const page = reply[1] as Buffer[];
      seen += elements(type, page).length;
      if (page.length > 0) this.digest.add({ type, elements: page });
      cursor = textOf(reply[0]);
      if (cursor === '0') break;
    }
    if ((await this.#ask(lengthCommand(type, this.key))) === seen) return true;
    this.digest = new ValueDigest('pages');
    const whole = await this.#ask(['DUMP', this.key]);
    if (!Buffer.isBuffer(whole)) return false;
    for (const part of readDump(whole)) this.digest.add(part);
    return true;
  }

  async #stream(step: number): Promise<boolean> {
    for (let from = '-'; ;) {
      const reply = await this.#ask(['XRANGE', this.key, from, '+', 'COUNT', step]);
      if (!Array.isArray(reply)) return false;
      const entries = reply.map((it) => {
        const [id, fields] = it as [Buffer, Buffer[]];
        return { id: textOf(id), fields };
      });
      this.digest.add({ type: 'stream', piece: 'entries', entries });
      if (reply.length < step) break;
      from = after(reply.at(-1));
    }
    const about = await this.#ask(['XINFO', 'STREAM', this.key]);
    const groups = await this.#ask(['XINFO', 'GROUPS', this.key]);
    if (!Array.isArray(about) || !Array.isArray(groups)) return false;
    const lastId = textOf(fieldOf(about, 'last-generated-id'));
    this.digest.add({ type: 'stream', piece: 'about', about: { lastId } });
    for (const group of groups) if (!(await this.#group(group as Reply[]))) return false;
    return true;
  }

  async #group(fields: Reply[]): Promise<boolean> {
    const name = fieldOf(fields, 'name') as Buffer;
    const lastId = textOf(fieldOf(fields, 'last-delivered-id'));
    this.digest.add({ type: 'stream', piece: 'group', group: { name, lastId } });
    for (let from = '-'; ;) {
      const reply = await this.#ask(['XPENDING', this.key, name, from, '+', PENDING]);
      if (!Array.isArray(reply)) return false;
      for (const it of reply) {
        const [id, consumer] = it as [Buffer, Buffer];
        const pending = [{ id: textOf(id), deliveredAt: 0, deliveries: '' }];
        this.digest.add({ type: 'stream', piece: 'consumer', group: name, consumer, pending });
      }
      if (reply.length < PENDING) return true;
      from = after(reply.at(-1));
    }
  }

  async #ask(command: Command): Promise<Reply | typeof otherType> {
    const [reply = null] = await this.pipe.send([command]);
    if (!(reply instanceof ErrorReply)) return reply;
    if (/^WRONGTYPE|no such key|^NOGROUP/.test(reply.message)) return otherType;
    throw refusal(this.pipe.address, command[0], reply);
  }
}

function scored(reply: Reply[]): Elements {
  const all = elements('zset', reply);
  return { type: 'zset', elements: all.map(([member]) => member), scores: all.map(([, it]) => score(it) ?? NaN) };
}

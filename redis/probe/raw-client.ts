import { splitAddress } from '../../model/endpoint.js';
import { addressOf, at, type Endpoint } from '../connection.js';
import { ConnectionLost, RawConnection } from './raw-connection.js';
import type { Reply } from './resp.js';

/** What every client of the probe can do. Rejects with the server's error reply, or why no reply came. */
export interface ProbeClient {
  /** @param deadline on the client's clock (ms): from then on the command is not sent any more */
  send(words: readonly string[], slot: number, deadline: number): Promise<Reply>;
  close(): void;
}

export class DeadlinePassed extends Error {
  override readonly name = 'DeadlinePassed';
}

interface Operation {
  words: readonly string[];
  slot: number;
  deadline: number;
  moves: number;
  resolve: (reply: Reply) => void;
  reject: (error: Error) => void;
}

const RETRY_MS = 25;
/** A server that owes a reply for so long is asked about: another node may say that the slot has moved on. */
const SILENT_MS = 1500;
/** From then on a fresh connection is tried, whoever owns the slots. */
const ABANDON_MS = 10_000;
const REFRESH_TIMEOUT_MS = 500;
/** States that pass by themselves. The server did not carry the command out. */
const passing = /^(TRYAGAIN|CLUSTERDOWN|LOADING|READONLY|MASTERDOWN|BUSY) /;

/**
 * A cluster client as a good library would be: follows MOVED and ASK, waits through states that pass, and after a broken
 * connection asks the other nodes who owns the slot now. While it waits, one command is tried every 25 ms and the others
 * stand behind it, so that an outage is not answered with a storm.
 */
export class RawClient implements ProbeClient {
  readonly #connections = new Map<string, RawConnection>();
  readonly #known: string[];
  #ranges: { from: number; to: number; address: string }[] = [];
  readonly #moved = new Map<number, string>();
  #parked: Operation[] = [];
  #waiting = false;
  #closed = false;
  #asked = 0;
  #timer: NodeJS.Timeout | undefined;
  readonly #watch: NodeJS.Timeout;

  constructor(
    seeds: readonly string[],
    private readonly endpoint: Endpoint,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.#known = [...seeds];
    this.#watch = setInterval(() => void this.#lookAtSilent(), 250);
  }

  send(words: readonly string[], slot: number, deadline: number): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const operation: Operation = { words, slot, deadline, moves: 0, resolve, reject };
      const owner = this.#owner(slot);
      if (this.#waiting || owner === undefined) this.#park(operation);
      else this.#transmit(operation, owner);
    });
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearInterval(this.#watch);
    for (const connection of this.#connections.values()) connection.destroy();
    for (const operation of this.#parked.splice(0)) operation.reject(new ConnectionLost('the probe has ended'));
  }

  #owner(slot: number): string | undefined {
    return this.#moved.get(slot) ?? this.#ranges.find(({ from, to }) => slot >= from && slot <= to)?.address;
  }

  #connection(address: string): RawConnection {
    const open = this.#connections.get(address);
    if (open && !open.closed) return open;
    const connection: RawConnection = new RawConnection(at(this.endpoint, address), this.now, () => {
      if (this.#connections.get(address) === connection) this.#connections.delete(address);
    });
    this.#connections.set(address, connection);
    return connection;
  }

  #transmit(operation: Operation, address: string, asking = false): void {
    const connection = this.#connection(address);
    if (asking) connection.send(['ASKING'], () => undefined);
    const [command = '', ...rest] = operation.words;
    connection.send([this.endpoint.commands?.[command] ?? command, ...rest], (reply) =>
      this.#settle(operation, address, reply),
    );
  }

  #settle(operation: Operation, from: string, reply: Reply): void {
    if (!(reply instanceof Error)) {
      operation.resolve(reply);
      if (this.#waiting) this.#resume();
      return;
    }
    const redirect = /^(MOVED|ASK) (\d+) (.*)$/.exec(reply.message);
    if (redirect) {
      const address = absolute(redirect[3] ?? '', from);
      this.#learn(address);
      if (redirect[1] === 'MOVED') this.#moved.set(Number(redirect[2]), address);
      // Just after a failover two nodes may point at each other.
      if (++operation.moves > 5) this.#park(operation);
      else this.#transmit(operation, address, redirect[1] === 'ASK');
      return;
    }
    if (reply instanceof ConnectionLost || passing.test(reply.message)) this.#park(operation);
    else operation.reject(reply);
  }

  #learn(address: string): void {
    if (!this.#known.includes(address)) this.#known.push(address);
  }

  #park(operation: Operation): void {
    if (this.#closed) {
      operation.reject(new ConnectionLost('the probe has ended'));
      return;
    }
    operation.moves = 0;
    this.#parked.push(operation);
    if (this.#waiting) return;
    this.#waiting = true;
    this.#timer = setTimeout(() => void this.#scout(), 0);
  }

  #resume(): void {
    this.#waiting = false;
    clearTimeout(this.#timer);
    for (const operation of this.#parked.splice(0)) {
      const owner = this.#owner(operation.slot);
      if (this.#alive(operation) && owner !== undefined) this.#transmit(operation, owner);
    }
  }

  #alive(operation: Operation): boolean {
    if (operation.deadline > this.now()) return true;
    operation.reject(new DeadlinePassed('its deadline passed before it could be sent'));
    return false;
  }

  /** Asks who owns the slots, tries the oldest parked command there, and comes again until one is answered. */
  async #scout(): Promise<void> {
    await this.#refresh();
    if (this.#closed || !this.#waiting) return;
    this.#parked = this.#parked.filter((operation) => this.#alive(operation));
    const scout = this.#parked[0];
    const owner = scout && this.#owner(scout.slot);
    if (scout === undefined) {
      this.#waiting = false;
      return;
    }
    // An owner that owes replies already has its scout; a frozen one would only collect more of them.
    if (owner !== undefined && this.#connection(owner).pending === 0) {
      this.#parked.shift();
      this.#transmit(scout, owner);
    }
    this.#timer = setTimeout(() => void this.#scout(), RETRY_MS);
  }

  /** Another node each time: one that is cut off or frozen must not be the only one believed. */
  async #refresh(except?: string): Promise<void> {
    const others = this.#known.filter((address) => address !== except);
    const answering = others.filter((address) => (this.#connections.get(address)?.silentMs ?? 0) < REFRESH_TIMEOUT_MS);
    const candidates = answering.length > 0 ? answering : others;
    const address = candidates[this.#asked++ % candidates.length];
    if (address === undefined) return;
    const reply = await new Promise<Reply>((resolve) => {
      const timer = setTimeout(() => resolve(new Error('no answer')), REFRESH_TIMEOUT_MS);
      const cluster = this.endpoint.commands?.['CLUSTER'] ?? 'CLUSTER';
      this.#connection(address).send([cluster, 'SLOTS'], (answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
    });
    if (!Array.isArray(reply) || reply.length === 0 || this.#closed) return;
    this.#ranges = reply.flatMap((entry) => {
      if (!Array.isArray(entry)) return [];
      const [from, to, ...nodes] = entry;
      const addresses = nodes.flatMap((node) =>
        Array.isArray(node) ? [absolute(addressOf({ host: text(node[0]), port: Number(node[1]) }), address)] : [],
      );
      for (const each of addresses) this.#learn(each);
      return addresses[0] === undefined ? [] : [{ from: Number(from), to: Number(to), address: addresses[0] }];
    });
    this.#moved.clear();
  }

  async #lookAtSilent(): Promise<void> {
    for (const [address, connection] of this.#connections) {
      if (connection.silentMs < SILENT_MS) continue;
      await this.#refresh(address);
      if (connection.silentMs > ABANDON_MS) connection.destroy(`it has owed replies for ${ABANDON_MS / 1000} s`);
      else if (!this.#ranges.some((range) => range.address === address))
        connection.destroy('it owes replies, and the slots have moved on');
    }
  }
}

const text = (reply: Reply | undefined): string => (typeof reply === 'string' ? reply : '');

/** A node that does not know its own address, or must not tell it (`?`, 7.0 and newer), leaves the host out. */
function absolute(address: string, from: string): string {
  const { host, port } = splitAddress(address);
  return addressOf({ host: host !== '' && host !== '?' ? host : splitAddress(from).host, port });
}

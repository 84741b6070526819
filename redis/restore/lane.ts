import { once } from 'node:events';
import type { Socket } from 'node:net';
import { RolloutError } from '../../model/failures.js';
import { addressOf, type Endpoint } from '../connection.js';
import { encode, type Command } from '../resp.js';
import { dial, readyEvent } from '../socket.js';
import { AckReader, type Ack } from './acks.js';
import { Batch } from './batch.js';

/** A target node is not there any more: what it acknowledged, and no replica of it, may be gone. */
export class TargetLost extends Error {
  override readonly name = 'TargetLost';
}

/** Held on its way to one node, bytes. */
const MOST_UNDER_WAY = 1024 * 1024;
/** Longest silence while a reply is due, ms. */
const SILENCE_MS = 30_000;

/** Told what each write came to. */
export type Outcome = (ack: Ack, batch: Batch, index: number) => void;

interface Flight {
  batch: Batch;
  /** The write whose reply is due next, and how many are due of it. */
  index: number;
  due: number;
  error: string | undefined;
  last: Ack;
}

/** The connection to one primary: batches are written as they are full, several of them under way. */
export class Lane {
  readonly #acks = new AckReader();
  #flights: Flight[] = [];
  #asked: { resolve: (ack: Ack) => void; reject: (error: Error) => void }[] = [];
  #batch = new Batch();
  #bytes = 0;
  #failure: TargetLost | undefined;
  #waiting: (() => void)[] = [];

  private constructor(
    readonly endpoint: Endpoint,
    /** The release that it runs. */
    readonly release: string,
    /** Replicas that followed it when it was opened. */
    readonly replicas: number,
    private readonly socket: Socket,
    private readonly outcome: Outcome,
    private readonly mayWrite: () => void,
  ) {
    socket.setTimeout(SILENCE_MS);
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', (error) => this.#fail(error.message));
    socket.on('close', () => this.#fail('the connection was closed'));
    socket.on('timeout', () => {
      if (this.#flights.length + this.#asked.length > 0) this.#fail(`no answer within ${SILENCE_MS} ms`);
    });
  }

  /** @throws TargetLost; RolloutError Unauthorized */
  static async open(
    endpoint: Endpoint,
    {
      release,
      replicas,
      outcome,
      mayWrite = () => undefined,
    }: { release: string; replicas: number; outcome: Outcome; mayWrite?: () => void },
  ): Promise<Lane> {
    const socket = dial(endpoint);
    const timer = setTimeout(() => socket.destroy(new Error('no connection within 5000 ms')), 5000);
    try {
      await once(socket, readyEvent(endpoint));
    } catch (error) {
      socket.destroy();
      throw new TargetLost(`${addressOf(endpoint)} can't be reached: ${(error as Error).message}`);
    } finally {
      clearTimeout(timer);
    }
    const lane = new Lane(endpoint, release, replicas, socket, outcome, mayWrite);
    const { username, password } = endpoint;
    if (password !== undefined) {
      const words = [...(username === undefined ? [] : [username]), password].map((it) => Buffer.from(it));
      const ack = await lane.ask('AUTH', ...words);
      if (typeof ack === 'string') {
        lane.close();
        throw new RolloutError('Unauthorized', `${addressOf(endpoint)} refused the credentials: ${ack}`);
      }
    }
    return lane;
  }

  get address(): string {
    return addressOf(this.endpoint);
  }

  /** To be filled; `sent` when it is full. */
  get batch(): Batch {
    return this.#batch;
  }

  get crowded(): boolean {
    return this.#bytes > MOST_UNDER_WAY;
  }

  /** @throws TargetLost */
  send(): void {
    this.#expectThere();
    const batch = this.#batch;
    if (batch.empty) return;
    this.mayWrite();
    this.#batch = new Batch();
    this.#woken();
    this.#flights.push({ batch, index: 0, due: batch.dues[0] ?? 1, error: undefined, last: true });
    this.#bytes += batch.bytes.length;
    this.socket.write(batch.bytes);
  }

  /** Until there is room for more. @throws TargetLost */
  async room(): Promise<void> {
    while (this.crowded) await this.#change();
  }

  /** Until everything is answered. @throws TargetLost */
  async settled(): Promise<void> {
    this.send();
    while (this.#flights.length > 0) await this.#change();
  }

  /** One command by itself, once everything is settled. @throws TargetLost */
  ask(...command: Command): Promise<Ack> {
    if (this.#failure) return Promise.reject(this.#failure);
    this.#woken();
    return new Promise((resolve, reject) => {
      this.#asked.push({ resolve, reject });
      this.socket.write(encode([command], this.endpoint.commands));
    });
  }

  close(): void {
    this.#fail('it was given up');
  }

  /** A connection on which nothing was due has been silent for as long as it liked. */
  #woken(): void {
    if (this.#flights.length + this.#asked.length === 0) this.socket.setTimeout(SILENCE_MS);
  }

  async #change(): Promise<void> {
    this.#expectThere();
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#expectThere();
  }

  #expectThere(): void {
    if (this.#failure) throw this.#failure;
  }

  #receive(chunk: Buffer): void {
    try {
      this.#acks.push(chunk, (ack) => this.#take(ack));
    } catch (error) {
      this.#fail((error as Error).message);
    }
    this.#tell();
  }

  #take(ack: Ack): void {
    const [flight] = this.#flights;
    if (!flight) {
      this.#asked.shift()?.resolve(ack);
      return;
    }
    if (typeof ack === 'string') flight.error ??= ack;
    // UNLINK after a transaction says nothing about it.
    else if (flight.due !== 1 || (flight.batch.dues[flight.index] ?? 1) === 1) flight.last = ack;
    if (--flight.due > 0) return;
    this.outcome(flight.error ?? flight.last, flight.batch, flight.index);
    flight.index++;
    flight.due = flight.batch.dues[flight.index] ?? 1;
    flight.error = undefined;
    flight.last = true;
    if (flight.index < flight.batch.ends.length) return;
    this.#bytes -= flight.batch.bytes.length;
    this.#flights.shift();
  }

  #fail(why: string): void {
    const failure = (this.#failure ??= new TargetLost(`${this.address}: ${why}`));
    this.#flights = [];
    for (const { reject } of this.#asked.splice(0)) reject(failure);
    this.socket.destroy();
    this.#tell();
  }

  #tell(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

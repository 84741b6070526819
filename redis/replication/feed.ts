import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { RolloutError } from '../../model/failures.js';
import { CommandParser } from './command-parser.js';
import type { StreamPoint } from './position.js';

export interface FeedOptions {
  /** Where the replica's own dataset stands: it asks to go on behind it. */
  after: StreamPoint;
  /** What it is given, once. */
  stream: AsyncIterable<Buffer>;
  /** That the replica has to show (`masterauth`). */
  password: string;
}

/** A primary that has nothing but a stream. */
export interface Feed extends AsyncDisposable {
  /** On loopback. */
  port: number;
  /**
   * Settles once everything was handed to the replica's socket, with how many bytes.
   *
   * @throws whatever `stream` throws; RolloutError StartFailed where the replica asked for something else, or went away
   */
  fed: Promise<number>;
}

/**
 * Plays the primary of one replica that has loaded a snapshot already: it answers the replica's handshake, and its PSYNC with
 * `+CONTINUE`, then sends the stream. So the replica becomes what its shard was at the end of that: with a replica's way of
 * treating what expires, and of any release since 4.0, whose snapshots carry where they stand.
 */
export async function feed({ after, stream, password }: FeedOptions): Promise<Feed> {
  let begun = false;
  let settle: { resolve: (bytes: number) => void; reject: (error: unknown) => void } | undefined;
  const fed = new Promise<number>((resolve, reject) => (settle = { resolve, reject }));
  // Whoever waits for the replica hears of it later.
  fed.catch(() => undefined);
  const refused = (why: string): void => settle?.reject(new RolloutError('StartFailed', `the scratch server ${why}`));
  const sockets = new Set<Socket>();
  const serve = async (socket: Socket): Promise<void> => {
    const parser = new CommandParser(0);
    let known = false;
    for await (const chunk of socket as AsyncIterable<Buffer>)
      for (const { args } of parser.push(chunk)) {
        const [name = '', ...words] = args.map((it) => it.toString('utf8'));
        const command = name.toUpperCase();
        if (command === 'AUTH') known = words.at(-1) === password;
        if (command === 'REPLCONF' && words[0]?.toUpperCase() === 'ACK') continue;
        if (command === 'AUTH' || command === 'PING' || command === 'REPLCONF')
          socket.write(known ? (command === 'PING' ? '+PONG\r\n' : '+OK\r\n') : '-NOAUTH Authentication required.\r\n');
        else if (command === 'PSYNC' && known && !begun) {
          if (words[0] !== after.replid || Number(words[1]) !== after.offset + 1) {
            socket.end('-ERR nothing else is here\r\n');
            refused(
              `asked for ${words.join(' ')}, and its snapshot stands at ${after.replid} ${after.offset}: what a server older than 4.0 saved, or one without a replication id, can't be gone on from`,
            );
            return;
          }
          begun = true;
          socket.write('+CONTINUE\r\n');
          void send(socket, stream).then(settle?.resolve, settle?.reject);
        } else socket.end('-ERR nothing else is here\r\n');
      }
    if (begun) refused('has ended its link before it had everything');
  };
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    serve(socket).catch((error: unknown) => {
      socket.destroy();
      if (begun) settle?.reject(error);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    fed,
    [Symbol.asyncDispose]: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** No faster than the replica reads. */
async function send(socket: Socket, stream: AsyncIterable<Buffer>): Promise<number> {
  let bytes = 0;
  for await (const chunk of stream) {
    if (chunk.length === 0) continue;
    bytes += chunk.length;
    if (!socket.write(chunk)) await Promise.race([once(socket, 'drain'), once(socket, 'close')]);
    if (socket.destroyed) throw new RolloutError('StartFailed', 'the scratch server has ended its link');
  }
  return bytes;
}

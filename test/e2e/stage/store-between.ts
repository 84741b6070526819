import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A way to an S3 server that answers some requests itself, or changes what it answers. */
export class StoreBetween implements AsyncDisposable {
  /** Takes a request on itself, or leaves it. */
  refuse: ((asked: IncomingMessage, answer: ServerResponse) => boolean) | undefined;
  /** Changes a piece of what is read of an object. */
  spoil: ((object: string, chunk: Buffer) => Buffer) | undefined;

  private constructor(
    private readonly server: Server,
    readonly endpoint: string,
  ) {}

  static async to(store: string): Promise<StoreBetween> {
    const server = createServer((asked, answer) => {
      if (between.refuse?.(asked, answer)) return;
      const { method = '', url = '', headers } = asked;
      const passed = request(store, { method, path: url, headers }, (from) => {
        answer.writeHead(from.statusCode ?? 500, from.headers);
        from.on('data', (chunk: Buffer) => {
          answer.write(method === 'GET' && between.spoil ? between.spoil(url, chunk) : chunk);
        });
        from.on('end', () => answer.end());
        from.on('error', () => answer.destroy());
      });
      passed.on('error', () => answer.destroy());
      asked.pipe(passed);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const between = new StoreBetween(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    return between;
  }

  /** Whatever is on its way is lost. */
  cut(): void {
    this.server.closeAllConnections();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections();
    const closed = once(this.server, 'close');
    this.server.close();
    await closed;
  }
}

/** As S3 answers. */
export function answerError(answer: ServerResponse, status: number, code: string, message: string): true {
  answer.writeHead(status, { 'content-type': 'application/xml', connection: 'close' });
  answer.end(`<Error><Code>${code}</Code><Message>${message}</Message></Error>`);
  return true;
}

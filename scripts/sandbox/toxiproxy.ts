import { spawn, type ChildProcess } from 'node:child_process';
import { claimPort } from './ports.js';
import { until } from './cluster.js';
import { locate } from '../setup/search-path.js';
import { TOXIPROXY } from '../setup/toxiproxy.js';

/** What is done to the bytes: github.com/Shopify/toxiproxy, "Toxics". */
export type Toxic = (
  | { type: 'latency'; attributes: { /** ms */ latency: number; jitter?: number } }
  | { type: 'bandwidth'; attributes: { /** kB/s */ rate: number } }
  /** Nothing gets through; after `timeout` ms (0: never) the connection is closed. */
  | { type: 'timeout'; attributes: { timeout: number } }
  | { type: 'reset_peer'; attributes: { timeout: number } }
) & {
  /** Towards the client, or towards the server. Default: downstream. */
  stream?: 'downstream' | 'upstream';
};

/** One address that leads to another, with whatever was put in between. */
export class Proxy {
  readonly #claim: () => void;

  constructor(
    private readonly toxiproxy: Toxiproxy,
    readonly name: string,
    /** `127.0.0.1:port`: what clients are told instead of `upstream`. */
    readonly address: string,
    readonly upstream: string,
    claim: () => void,
  ) {
    this.#claim = claim;
  }

  /** Holds for the connections that are open, too. Returns its name, for `cure`. */
  async poison(toxic: Toxic): Promise<string> {
    const { name } = (await this.toxiproxy.ask('POST', `/proxies/${this.name}/toxics`, {
      toxicity: 1,
      ...toxic,
    })) as { name: string };
    return name;
  }

  async cure(toxic: string): Promise<void> {
    await this.toxiproxy.ask('DELETE', `/proxies/${this.name}/toxics/${toxic}`);
  }

  /** Ends every connection and refuses new ones. */
  async cut(): Promise<void> {
    await this.toxiproxy.ask('POST', `/proxies/${this.name}`, { enabled: false });
  }

  async mend(): Promise<void> {
    await this.toxiproxy.ask('POST', `/proxies/${this.name}`, { enabled: true });
  }

  giveBackPort(): void {
    this.#claim();
  }
}

/** A toxiproxy of one's own, on loopback. */
export class Toxiproxy implements AsyncDisposable {
  readonly #proxies: Proxy[] = [];

  private constructor(
    private readonly child: ChildProcess,
    private readonly api: string,
    private readonly giveBackPort: () => void,
  ) {}

  /** @throws Error when set-up has not brought it here, or it does not come up */
  static async start(): Promise<Toxiproxy> {
    const program = await locate(TOXIPROXY);
    if (program === undefined) throw new Error('no toxiproxy-server here: run `npm run setup -- --only toxiproxy`');
    const { port, release } = await claimPort();
    const child = spawn(program, ['-host', '127.0.0.1', '-port', String(port)], { stdio: 'ignore' });
    const toxiproxy = new Toxiproxy(child, `http://127.0.0.1:${port}`, release);
    try {
      await until('toxiproxy answers', async () => {
        if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`);
        await toxiproxy.ask('GET', '/version');
        return true;
      });
    } catch (error) {
      await toxiproxy.stop();
      throw error;
    }
    return toxiproxy;
  }

  /** A way to `upstream` (`host:port`) that can be made slow, mute or broken; on `port` where it must be that one. */
  async proxy(name: string, upstream: string, port?: number): Promise<Proxy> {
    const claimed = port === undefined ? await claimPort() : { port, release: () => undefined };
    const listen = `127.0.0.1:${claimed.port}`;
    await this.ask('POST', '/proxies', { name, listen, upstream, enabled: true });
    const proxy = new Proxy(this, name, listen, upstream, claimed.release);
    this.#proxies.push(proxy);
    return proxy;
  }

  /** Its HTTP API. */
  async ask(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object): Promise<unknown> {
    const answer = await fetch(`${this.api}${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`toxiproxy: ${method} ${path}: ${answer.status} ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  }

  async stop(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const gone = new Promise<void>((resolve) => this.child.once('exit', () => resolve()));
      this.child.kill('SIGKILL');
      await gone;
    }
    for (const proxy of this.#proxies) proxy.giveBackPort();
    this.giveBackPort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

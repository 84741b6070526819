/** A node as its platform knows it. The platform knows nothing of Redis: files are names, versions are labels. */
export interface PlatformNode {
  /** `host:port`. */
  address: string;
  /** Folder that holds its dataset, absolute. */
  home: string;
  /** Its configuration file, absolute. */
  configurationFile: string;
  /** Its log, absolute; absent when it logs to standard output and nobody kept it. */
  logFile?: string;
  /** Its process, where the caller knows it (INFO's `process_id`): a hint that is checked. */
  pid?: number;
}

export interface PlatformState {
  state: 'running' | 'hung' | 'stopped';
  pid?: number;
  /** The binary that runs, absolute. */
  executable?: string;
  /** The release that the platform last started here, if it did. */
  release?: string;
}

/** Who acts: a later attempt's token is greater. Kept beside the node and checked before each change. */
export interface FencingToken {
  /** Server time at which the attempt was scheduled, ms. */
  epoch: number;
  /** Workflow run, activity id and attempt, to tell two of the same millisecond apart. */
  holder: string;
}

export interface StartInput {
  release: string;
  /** The whole text of the configuration file; written with mode 0600, the previous one is kept. */
  configuration: string;
  /** Further files that the configuration names, absolute; written likewise. */
  files?: readonly { path: string; text: string }[];
  /** Further command-line arguments, not kept. */
  arguments: readonly string[];
}

/** What runs the nodes. Every platform passes test/platforms/contract.ts. */
export interface Platform {
  inspect(node: PlatformNode): Promise<PlatformState>;
  /** Takes the node for this attempt; refuses (RolloutError Fenced) when a later attempt has it. */
  fence(node: PlatformNode, token: FencingToken): Promise<void>;
  /** Ends the process: waits for one that is ending, else SIGTERM, else SIGKILL at the deadline. Done when it is gone. */
  stop(node: PlatformNode, token: FencingToken, input: { terminate: boolean }): Promise<void>;
  /** Starts the release; returns once the process listens. RolloutError StartFailed carries the end of its log. */
  start(node: PlatformNode, token: FencingToken, input: StartInput): Promise<PlatformState>;
  /**
   * Where a new node could live beside another: on its machine, in a folder of its own, on a port that is free now with
   * all `offsets` to it and none of which is `taken`. Where `create` made one of that name already, that one.
   */
  siteBeside(
    node: PlatformNode,
    input: { name: string; offsets: readonly number[]; taken: readonly number[] },
  ): Promise<PlatformNode>;
  /**
   * Makes a node where none is yet, its folder first, and starts it. What `create` made before is only started.
   * RolloutError BadInput where the folder is somebody else's.
   */
  create(node: PlatformNode, token: FencingToken, input: StartInput): Promise<PlatformState>;
  /** Stops a node that `create` made, and takes its folder away; refuses (BadInput) any other. Done where it is gone. */
  remove(node: PlatformNode, token: FencingToken): Promise<void>;
  /** Copies files of the node's folder aside under a label, atomically; what isn't there is left out. */
  keep(node: PlatformNode, token: FencingToken, input: { label: string; files: readonly string[] }): Promise<string[]>;
  /** As `keep`, and takes the originals away: what may not be started on. */
  setAside(
    node: PlatformNode,
    token: FencingToken,
    input: { label: string; files: readonly string[] },
  ): Promise<string[]>;
  /** Puts what was kept under a label back in place. Returns the files put back. */
  restore(
    node: PlatformNode,
    token: FencingToken,
    input: { label: string; files: readonly string[] },
  ): Promise<string[]>;
  /**
   * Keeps what comes in a stream beside the node, as if `keep` had found it there as `file`: all of it or nothing.
   * `restore` puts it in place. Whatever `content` throws is thrown.
   */
  bringIn(
    node: PlatformNode,
    token: FencingToken,
    input: { label: string; file: string; content: AsyncIterable<Buffer> },
  ): Promise<void>;
  /** Where what was kept under a label is, for people, and for who reads it: a folder. */
  keptAt(node: PlatformNode, input: { label: string }): string;
  /** Drops what was kept under a label. */
  drop(node: PlatformNode, token: FencingToken, input: { label: string }): Promise<void>;
  /** Keeps a small private document beside the node (mode 0600), replacing what was under the name. */
  remember(node: PlatformNode, token: FencingToken, input: { name: string; text: string }): Promise<void>;
  /** What `remember` kept, or undefined. */
  recall(node: PlatformNode, input: { name: string }): Promise<string | undefined>;
  /** Removes what `remember` kept; harmless when there is nothing. */
  forget(node: PlatformNode, token: FencingToken, input: { name: string }): Promise<void>;
  readConfiguration(node: PlatformNode): Promise<string>;
  /** Replaces the text of its configuration file, for when it is started next; the previous one is kept, and what runs runs on. */
  configure(node: PlatformNode, token: FencingToken, input: { configuration: string }): Promise<void>;
  /** Text of a file that the configuration names, absolute; undefined where there is none. */
  readFile(node: PlatformNode, input: { path: string }): Promise<string | undefined>;
  /** Free and total bytes of the node's disk and of the machine's memory. */
  resources(
    node: PlatformNode,
  ): Promise<{ diskFree: number; diskTotal: number; memoryFree: number; memoryTotal: number }>;
  /** Releases that can be started here, newest last. */
  releases(): Promise<string[]>;
  /** The last lines of the node's log. */
  log(node: PlatformNode, input: { lines: number }): Promise<string>;
}

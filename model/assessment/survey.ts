import type { CommandTable } from '../knowledge/command-table.js';
import type { Unseen } from './unseen.js';

/** A client as one line of CLIENT LIST has it, told apart by what says which application it is. */
export interface ClientSeen {
  /** Its name, else its user, else its host; numbers in it as `#`, so that the instances of one application are one. */
  application: string;
  /** `host:port` that it comes from. */
  address: string;
  user?: string;
  /** From 7.2 on, and where the client says so. */
  library?: string;
  version?: string;
  /** From 7.0 on. */
  protocol?: number;
  /** What it ran last, in lower case: `config|get` from 7.0 on, `config` before. */
  command?: string;
  blocked: boolean;
  /** It sent READONLY: it reads from a replica, or is ready to. */
  readOnly: boolean;
  idleSeconds: number;
}

/** One node at one moment: what it was asked for so far, and by whom. */
export interface NodeLook {
  address: string;
  runId: string;
  primary: boolean;
  /** ms since 1970, by the worker's clock. */
  at: number;
  /** Calls by command since the process started, those that it refused not among them. */
  calls: Readonly<Record<string, number>>;
  /** Absent where the user may not run CLIENT LIST. */
  clients?: readonly ClientSeen[];
  connected: number;
}

/** What MONITOR told of one application on one node. */
export interface Watched {
  application: string;
  /** Commands by name, and patterns of keys, with how often each was seen. */
  commands: Readonly<Record<string, number>>;
  patterns: Readonly<Record<string, number>>;
}

/** What one node runs with; without secrets. */
export interface NodeSettings {
  address: string;
  /** `CONFIG GET *`. */
  configuration?: Readonly<Record<string, string>>;
  /** `ACL LIST`, passwords left out; empty before 6.0. */
  users?: readonly string[];
  modules?: readonly { name: string; version: number }[];
  /** FUNCTION LIST WITHCODE; empty before 7.0. */
  functions?: readonly { library: string; code: string }[];
  /** Scripts that it has in its cache. No release lists them. */
  cachedScripts: number;
  maxClients?: number;
  usedMemoryBytes: number;
  maxMemoryBytes: number;
  connected: number;
  primary: boolean;
}

/** A key that stands out. */
export interface NotableKey {
  key: string;
  type: string;
  bytes: number;
  /** Elements, or bytes of a string. */
  length?: number;
  /** Of an LFU policy, OBJECT FREQ. */
  frequency?: number;
}

/** What a look through some of a shard's keys has found. */
export interface ShardKeys {
  shard: string;
  /** The node that was asked. */
  node: string;
  /** Keys that it has, and how many were looked at. */
  keys: number;
  looked: number;
  /** Of those: bytes in all, how many expire, and how many there are of each type and encoding. */
  bytes: number;
  expiring: number;
  types: Readonly<Record<string, { keys: number; bytes: number }>>;
  encodings: Readonly<Record<string, number>>;
  patterns: Readonly<Record<string, { keys: number; bytes: number }>>;
  /** How many take up to so many bytes, and more than the step before. */
  sizes: Readonly<Record<string, number>>;
  /** The largest, and the most used ones. */
  big: readonly NotableKey[];
  hot: readonly NotableKey[];
}

/** A script that somebody gave: the server has no list of its own. */
export interface GivenScript {
  name: string;
  text: string;
}

/** The deployment as it was read; nothing of it is assumed. */
export interface Survey {
  settings: readonly NodeSettings[];
  /** Of a server of the oldest release that runs; absent where the user may not run COMMAND. */
  commands?: CommandTable;
  keys: readonly ShardKeys[];
  /** Commands and patterns of keys, where MONITOR was asked for. */
  watched: readonly Watched[];
  /** Rights that an upgrade needs and the user has not, as the server calls them. */
  missingRights: readonly string[];
  unseen: readonly Unseen[];
}

/** A real server of the target, asked what it makes of the deployment's own. */
export interface TargetAnswers {
  release: string;
  commands: CommandTable;
  /** What a script may name. */
  globals: readonly string[];
  configuration: Readonly<Record<string, string>>;
  /** Values that it refuses. */
  refusedValues: readonly { directive: string; value: string; why: string }[];
  refusedScripts: readonly { name: string; why: string }[];
  refusedFunctions: readonly { library: string; why: string }[];
  refusedUsers: readonly { user: string; why: string }[];
}

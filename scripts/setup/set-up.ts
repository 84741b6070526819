import { join } from 'node:path';
import { mkdir } from 'node:fs/promises';
import { cacheFolder } from '../../launch/cache.mjs';
import type { Component } from './catalogue.js';
import { Debian } from './debian.js';
import { Downloads } from './download.js';
import { lockCache } from './lock.js';
import { linkName, lookFor, suits, versionOf, type Present } from './present.js';
import type { Route, Tools } from './route.js';
import { Store } from './store.js';

export interface Outcome {
  component: string;
  state: 'present' | 'fetched' | 'missing';
  /** Of the program, absolute. */
  path?: string;
  release?: string;
  /** Where from, and why from there. */
  reason: string;
  /** Ways that were tried and failed before, one line each. */
  tried: readonly string[];
}

/** What set-up tells while it works. */
export interface Listener {
  line(text: string): void;
  start(component: string, what: string): void;
  end(component: string): void;
}

/**
 * Brings the components here: what is on PATH or whole in the cache stays as it is; the others are fetched, a few at a
 * time. Safe to interrupt at any point, and to run twice at once. Never throws for a component that can't be had: the
 * outcome says `missing` and what to do.
 */
export async function setUp(
  wanted: readonly Component[],
  listener: Listener,
  options: { signal?: AbortSignal } = {},
): Promise<Outcome[]> {
  const store = new Store(cacheFolder());
  const outcomes = new Map<string, Outcome>();
  // Without the lock first: most runs find everything there, and then nothing is written at all.
  const first = await examineAll(wanted, store);
  const missing = wanted.filter((component) => !isWhole(first.get(component)));
  for (const [component, found] of first)
    if (found !== undefined && isWhole(found)) outcomes.set(component.name, present(component, found));
  if (missing.length > 0) await fetchAll(missing, store, listener, outcomes, options.signal);
  return wanted.map((it) => {
    const outcome = outcomes.get(it.name);
    if (outcome === undefined) throw new Error(`interrupted before ${it.name}`);
    return outcome;
  });
}

async function fetchAll(
  missing: readonly Component[],
  store: Store,
  listener: Listener,
  outcomes: Map<string, Outcome>,
  signal?: AbortSignal,
): Promise<void> {
  const release = await lockCache(store.root, (pid) =>
    listener.line(`another set-up (pid ${pid}) is at work on ${store.root}: waiting for it`),
  );
  try {
    await store.sweep();
    const apt = join(store.root, 'tmp', 'apt');
    await mkdir(apt, { recursive: true });
    const tools: Omit<Tools, 'note'> = {
      downloads: new Downloads(signal),
      debian: new Debian(apt, signal),
      ...(signal ? { signal } : {}),
    };
    const queue = [...missing];
    const worker = async (): Promise<void> => {
      for (let it = queue.shift(); it !== undefined && !signal?.aborted; it = queue.shift())
        outcomes.set(it.name, await fetchOne(it, store, listener, tools));
    };
    // Downloads wait on the network, unpacking on the disk: four keep both busy on a small machine.
    await Promise.all(Array.from({ length: 4 }, worker));
    await store.sweep();
  } finally {
    await release();
  }
}

async function fetchOne(
  component: Component,
  store: Store,
  listener: Listener,
  shared: Omit<Tools, 'note'>,
): Promise<Outcome> {
  const { name } = component;
  // Another set-up may have brought it while this one waited for the lock.
  const found = await lookFor(component, store, { quick: true });
  if (found !== undefined && isWhole(found)) return present(component, found);
  if (found !== undefined) listener.line(`${name}: fetched anew: ${found.damage.slice(0, 2).join('; ')}`);
  const tried: string[] = [];
  for (const route of component.routes) {
    listener.start(name, route.name);
    try {
      const outcome = await take(route, component, store, {
        ...shared,
        note: (text) => listener.line(`${name}: ${text}`),
      });
      listener.end(name);
      const why = found === undefined ? 'neither on PATH nor in the cache' : 'the copy in the cache was not whole';
      const reason = `${route.name}: ${tried.length === 0 ? why : 'the first way that worked'}`;
      listener.line(`${name}: ${outcome.release} from ${reason}`);
      return { component: name, state: 'fetched', ...outcome, reason, tried };
    } catch (error) {
      listener.end(name);
      const line = `${route.name}: ${error instanceof Error ? error.message : String(error)}`;
      if (shared.signal?.aborted) throw error;
      tried.push(line);
      listener.line(`${name}: not by ${line}`);
    }
  }
  listener.line(`${name}: missing. To do: ${component.byHand}`);
  return { component: name, state: 'missing', reason: component.byHand, tried };
}

async function take(
  route: Route,
  component: Component,
  store: Store,
  tools: Tools,
): Promise<{ path: string; release: string }> {
  const folder = await store.workFolder(component.name);
  const sources = await route.obtain(folder, tools);
  const [program] = component.programs;
  let why = '';
  const release = await versionOf(component, join(folder, 'bin', program), (told) => (why = `: ${told}`));
  if (release === undefined) throw new Error(`its ${program} does not run on this machine${why}`);
  if (!suits(component, release))
    throw new Error(`it is ${release}, ${component.server?.release ?? 'another'} was expected`);
  const link = component.server ? join('servers', linkName(release)) : join('bin', program);
  const inside = component.server ? '.' : join('bin', program);
  await store.place(folder, { component: component.name, release, route: route.name, sources }, { [link]: inside });
  return { release, path: component.server ? join(store.root, link, 'bin', program) : join(store.root, link) };
}

async function examineAll(wanted: readonly Component[], store: Store): Promise<Map<Component, Present | undefined>> {
  const found = await Promise.all(wanted.map(async (it) => [it, await lookFor(it, store, { quick: true })] as const));
  return new Map(found);
}

const isWhole = (found: Present | undefined): boolean => found !== undefined && found.damage.length === 0;

function present(component: Component, found: Present): Outcome {
  const from = found.where === 'PATH' ? 'on PATH' : `in the cache, by ${found.manifest?.route ?? 'hand'}`;
  return {
    component: component.name,
    state: 'present',
    path: found.path,
    release: found.release,
    reason: `${from}: ${found.path}`,
    tried: [],
  };
}

import { cpus } from 'node:os';
import { satisfies } from '../../model/release.js';
import { components } from '../setup/catalogue.js';
import { Progress } from '../setup/progress.js';
import { setUp } from '../setup/set-up.js';

/** A benchmark: reads its own options, measures, and says what it found. */
export interface Bench {
  help: string;
  /**
   * @param tell progress, a line at a time
   * @throws RangeError and parseArgs' own errors for wrong usage
   */
  run(args: string[], tell: (line: string) => void): Promise<Outcome>;
}

export interface Outcome {
  /** Nothing that is measured of ours broke a promise. */
  clean: boolean;
  /** For `--json` and `--summary`. */
  summary: object;
  /** For a person; the first row of each is its header. */
  tables: string[][][];
  /** What ended it early: what was measured until then stands. */
  failure?: unknown;
}

/** Measures one after the other until all is measured, or one fails: hours of figures don't go with it. */
export async function untilOneFails<T>(
  each: Iterable<T>,
  measure: (it: T) => Promise<void>,
): Promise<{ failure?: unknown }> {
  try {
    for (const it of each) await measure(it);
    return {};
  } catch (failure) {
    return { failure };
  }
}

/** An option that is a whole number above 0. */
export function whole(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new RangeError(`${option}: expected a whole number above 0, found '${text}'`);
  return value;
}

/** An option that is a number above 0. */
export function positive(option: string, text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < Infinity)) throw new RangeError(`${option}: expected a number above 0, found '${text}'`);
  return value;
}

/** What the figures are of. */
export const machine = (): { cpus: number; model: string; node: string } => ({
  cpus: cpus().length,
  model: cpus()[0]?.model ?? '',
  node: process.version,
});

/** An option that is a list of known names. */
export function several<Name extends string>(option: string, text: string, known: readonly Name[]): Name[] {
  return text.split(',').map((it) => {
    const name = known.find((one) => one === it);
    if (name === undefined) throw new RangeError(`${option}: expected some of ${known.join(', ')}, found '${it}'`);
    return name;
  });
}

/** Brings Temporal, the servers of these releases and other programs here, as far as they can be had. */
export async function bring(releases: readonly string[], programs: readonly string[] = []): Promise<void> {
  const wanted = components.filter(
    ({ name, server }) =>
      ['temporal', ...programs].includes(name) || releases.some((it) => server && satisfies(server.release, it)),
  );
  const outcomes = await setUp(wanted, new Progress(process.stderr));
  const missing = outcomes.filter(({ state }) => state === 'missing');
  if (missing.length > 0) throw new Error(missing.map((it) => `${it.component} is missing: ${it.reason}`).join('\n'));
}

const open = new Set<Promise<AsyncDisposable>>();
let interrupted = false;

/** Opens a resource so that an interrupted benchmark leaves no server behind; given back by its own disposal. */
export async function holding<Resource extends AsyncDisposable>(
  opening: () => Promise<Resource>,
): Promise<AsyncDisposable & { resource: Resource }> {
  if (interrupted) throw new Error('interrupted');
  const held = opening();
  open.add(held);
  const resource = await held;
  return {
    resource,
    async [Symbol.asyncDispose]() {
      open.delete(held);
      await resource[Symbol.asyncDispose]();
    },
  };
}

/** Ends whatever is held, also what is just being opened. */
export async function endAll(): Promise<void> {
  interrupted = true;
  await Promise.allSettled([...open].map(async (held) => (await held)[Symbol.asyncDispose]()));
}

import { formatDuration } from '../duration.js';
import { nameRelease, parseRelease } from '../release.js';

/** `1,234,567`; the same on every machine, whatever its locale. */
export function count(value: number): string {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+(?!\d))/g, ',');
}

/** `1 node`, `6 nodes`, `2 replicas`. */
export function countOf(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** `: a, b, …`: the names that are known of so many; nothing when there are none. */
export function named(names: readonly string[] = [], all = names.length): string {
  return names.length === 0 ? '' : `: ${names.join(', ')}${all > names.length ? ', …' : ''}`;
}

/** `0.42 ms`, `4.5 ms`, `57 ms`, `1.2 s`: a latency or a gap, in ms, with the digits that mean something. */
export function latency(ms: number): string {
  if (ms >= 999.5) return formatDuration(ms);
  if (ms >= 9.95) return `${Math.round(ms)} ms`;
  return `${ms.toFixed(ms < 1 ? 2 : 1)} ms`;
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const;
const two = (value: number): string => String(value).padStart(2, '0');

/** `09:14:03`, UTC, from Unix ms. */
export function clock(ms: number): string {
  const date = new Date(ms);
  return `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`;
}

/** `12 Nov`, UTC. */
export function day(ms: number): string {
  const date = new Date(ms);
  return `${date.getUTCDate()} ${months[date.getUTCMonth()] ?? ''}`;
}

/** `12 Nov 2026, 09:14:03 UTC`; what is no instant is shown as it came. */
export function moment(instant: string): string {
  const ms = Date.parse(instant);
  if (Number.isNaN(ms)) return instant;
  return `${day(ms)} ${new Date(ms).getUTCFullYear()}, ${clock(ms)} UTC`;
}

/** `Redis 5.0.6 to 8.0.6`, `Redis 7.2.4 to Valkey 9.1.2`; a text that is no release stays as it is. */
export function fromTo(from: string, to: string): string {
  const [a, b] = [parseRelease(from), parseRelease(to)];
  const before = a ? nameRelease(from) : from;
  if (!b) return `${before} to ${to}`;
  return a?.flavour === b.flavour ? `${before} to ${to.replace(/^[a-z]+[- ]/, '')}` : `${before} to ${nameRelease(to)}`;
}

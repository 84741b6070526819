import { Undelivered } from './undelivered.js';

/** How long the other side may take, ms. */
const DEADLINE_MS = 10_000;

/**
 * POSTs a text of JSON. Redirects are not followed: what is signed for one place is not for another.
 *
 * @param what how messages call the place; the address itself may be a secret
 * @throws Undelivered
 */
export async function postJson(
  what: string,
  url: string,
  body: string,
  headers: Record<string, string> = {},
): Promise<void> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', ...headers },
      redirect: 'manual',
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
    text = await response.text();
  } catch (error) {
    throw new Undelivered(`${what} can't be reached: ${reasonOf(error)}`, undefined, { cause: error });
  }
  if (response.ok) return;
  const found = text === '' ? '' : `: ${text.slice(0, 200)}`;
  throw new Undelivered(
    `${what} answered HTTP ${response.status}${found}`,
    retryAfter(response.headers.get('retry-after'), Date.now()),
  );
}

function reasonOf(error: unknown): string {
  const { name, message, cause } = error as Error;
  if (name === 'TimeoutError') return `nothing within ${DEADLINE_MS} ms`;
  return cause instanceof Error ? cause.message || String((cause as NodeJS.ErrnoException).code) : message;
}

/** Seconds, or a date: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after */
export function retryAfter(value: string | null, now: number): number | undefined {
  if (value === null || value.trim() === '') return undefined;
  const ms = /^\d+$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - now;
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}

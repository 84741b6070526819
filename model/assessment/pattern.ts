const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi;
const long = /[0-9a-f]{16,}/gi;
/** A pattern is for reading: whatever is behind this is left out. */
const LONGEST = 120;

/** A name of a key or client with what tells instances apart taken out: `cart:{4711}:items` is `cart:{#}:items`. */
export function patternOf(name: string): string {
  const plain = name
    .replace(uuid, '<uuid>')
    .replace(long, (text) => (/\d/.test(text) ? '<hex>' : text))
    .replace(/\d+/g, '#');
  return plain.length > LONGEST ? `${plain.slice(0, LONGEST)}…` : plain;
}

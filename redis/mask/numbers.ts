import type { Permutation } from './permutation.js';

const LARGEST = 2n ** 63n - 1n;
/** Where servers begin to need more bits for a number: listpacks, ziplists and sets of integers. */
const WIDTHS = [13n, 128n, 4096n, 32_768n, 8_388_608n, 2_147_483_648n];
const tens = Array.from({ length: 19 }, (_, i) => 10n ** BigInt(i));
const ascending = (a: bigint, b: bigint): number => (a < b ? -1 : 1);
/** Of their distance from 0, where ranges begin whose numbers are alike: as many digits, as many bits. */
const above = [0n, ...tens.slice(1), ...WIDTHS].sort(ascending);
const below = [...tens, ...WIDTHS.slice(1).map((it) => it + 1n)].sort(ascending);

/** As the servers take a string for an integer, and keep it as one. */
const INTEGER = /^(?:0|-?[1-9]\d{0,18})$/;
/** As INCRBYFLOAT and HINCRBYFLOAT write them. */
const DECIMAL = /^(-?)(0|[1-9]\d*)\.(\d+)$/;
const MOST_DIGITS = 18;
const MOST_BYTES = 20;

/** The number that stands for another, as long and of as many bits; undefined where it is none. */
export function maskedNumber(bytes: Buffer, permutation: Permutation): Buffer | undefined {
  const text = numberText(bytes);
  if (text === undefined) return undefined;
  return Buffer.from(text.includes('.') ? decimal(text, permutation) : integer(BigInt(text), permutation), 'latin1');
}

export const isNumber = (bytes: Buffer): boolean => numberText(bytes) !== undefined;

function numberText(bytes: Buffer): string | undefined {
  const first = bytes[0] ?? 0;
  if (bytes.length > MOST_BYTES || (first !== 0x2d && (first < 0x30 || first > 0x39))) return undefined;
  const text = bytes.toString('latin1');
  if (INTEGER.test(text)) return isKept(BigInt(text)) ? text : undefined;
  const [, , whole = '', part = ''] = DECIMAL.exec(text) ?? [];
  return part !== '' && whole.length + part.length <= MOST_DIGITS ? text : undefined;
}

const isKept = (number: bigint): boolean => number <= LARGEST && number >= -LARGEST - 1n;

function integer(number: bigint, permutation: Permutation): string {
  const isBelow = number < 0n;
  const size = isBelow ? -number : number;
  const starts = isBelow ? below : above;
  const next = starts.findIndex((it) => it > size);
  const least = (next < 0 ? starts.at(-1) : starts[next - 1]) ?? 0n;
  const most = next < 0 ? (isBelow ? LARGEST + 1n : LARGEST) : (starts[next] ?? 0n) - 1n;
  return String(isBelow ? -permutation.within(size, least, most) : permutation.within(size, least, most));
}

/** Its point stays where it is. */
function decimal(text: string, permutation: Permutation): string {
  const [, sign = '', whole = '', part = ''] = DECIMAL.exec(text) ?? [];
  const all = BigInt(10) ** BigInt(part.length);
  const least = whole === '0' ? 0n : all * 10n ** BigInt(whole.length - 1);
  const most = (whole === '0' ? all : all * 10n ** BigInt(whole.length)) - 1n;
  const digits = String(permutation.within(BigInt(whole + part), least, most)).padStart(part.length + 1, '0');
  return `${sign}${digits.slice(0, -part.length)}.${digits.slice(-part.length)}`;
}

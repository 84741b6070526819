/** Orders two ids of stream entries, `<ms>-<seq>`. */
export function compareIds(a: string, b: string): number {
  const [[ms, seq], [otherMs, otherSeq]] = [halves(a), halves(b)];
  if (ms !== otherMs) return ms < otherMs ? -1 : 1;
  return seq === otherSeq ? 0 : seq < otherSeq ? -1 : 1;
}

function halves(id: string): [bigint, bigint] {
  const [ms = '0', seq = '0'] = id.split('-');
  return [BigInt(ms), BigInt(seq)];
}

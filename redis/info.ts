/** INFO's `field:value` lines, all sections in one object. */
export function parseInfo(text: string): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const line of text.split(/\r?\n/)) {
    const colon = line.indexOf(':');
    if (colon > 0 && !line.startsWith('#')) fields[line.slice(0, colon)] = line.slice(colon + 1);
  }
  return fields;
}

/**
 * The release as INFO tells it: `8.0.6`, or `valkey-9.1.2`. Valkey keeps saying `redis_version:7.2.4` for its clients'
 * sake and names itself in `server_name` and `valkey_version`.
 */
export function releaseFromInfo(info: Record<string, string>): string {
  if (info['server_name'] === 'valkey' && info['valkey_version'] !== undefined)
    return `valkey-${info['valkey_version']}`;
  return info['redis_version'] ?? '';
}

/**
 * Bytes of the dataset. Of a node with next to nothing the overheads are estimated to be more than is in use, and the
 * difference wraps round to some 2^64 (getMemoryOverheadData in object.c): then, and where it isn't told, all that is in
 * use.
 */
export function datasetBytes(info: Record<string, string>): number {
  const used = Number(info['used_memory'] ?? 0);
  const dataset = Number(info['used_memory_dataset'] ?? used);
  return dataset > used ? used : dataset;
}

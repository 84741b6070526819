interface Line {
  fields: string[];
  /** Id of the node that the shard is known by: the primary's. */
  shard: string;
  shardId: string | undefined;
}

const SHARD_ID = 'shard-id=';

/**
 * A nodes.conf in which all nodes of a shard have one shard id; the same text where they have one already. A server of
 * 7.2 or 7.4 ends at its start where a replica has another one than its primary (`corrupted cluster config file`), though
 * it writes such files itself: nodes before 7.0 have no shard id and those of 7.0 don't tell theirs, so each newer node
 * makes one up for them, and hears another one of a newer replica of theirs (redis#12761; mended for 8.0 by redis#13468).
 * What is chosen here is chosen by every node's own file alike: nodes that are started on it never tell each other two.
 *
 * @param text as any release writes it: `id ip:port@cport[,hostname[,name=value…]] flags primary …`
 */
export function agreeOnShardIds(text: string): string {
  const lines = text.split('\n').map((it) => it.split(' '));
  const primaries = new Map(lines.filter(isNode).map(([id = '', , , primaryId = '-']) => [id, primaryId]));
  const nodes = lines.flatMap((fields): Line[] => (isNode(fields) ? [lineOf(fields, primaries)] : []));
  const shards = new Map<string, Line[]>();
  for (const it of nodes) shards.set(it.shard, [...(shards.get(it.shard) ?? []), it]);
  for (const members of shards.values()) {
    const [first] = members;
    if (first?.shardId !== undefined && members.every(({ shardId }) => shardId === first.shardId)) continue;
    const chosen = members.find(({ fields, shard }) => fields[0] === shard)?.shardId ?? smallestId(members);
    for (const { fields } of members) setShardId(fields, chosen);
  }
  return lines.map((fields) => fields.join(' ')).join('\n');
}

/** The last line has variables: `vars currentEpoch 6 lastVoteEpoch 0`. */
const isNode = (fields: readonly string[]): boolean => fields.length >= 8;

function lineOf(fields: string[], primaries: ReadonlyMap<string, string>): Line {
  const [id = '', place = ''] = fields;
  const own = place.split(',').find((it) => it.startsWith(SHARD_ID));
  return { fields, shard: shardOf(id, primaries), shardId: own?.slice(SHARD_ID.length) };
}

/** Right after a handover a replica is still seen behind the old primary, which follows the new one already. */
function shardOf(id: string, primaries: ReadonlyMap<string, string>, passed: readonly string[] = []): string {
  const primary = primaries.get(id) ?? '-';
  return primary === '-' || passed.includes(primary) ? id : shardOf(primary, primaries, [...passed, id]);
}

/** Of the nodes' ids, since that is the same whoever of them is primary. A shard id is made as a node id is. */
const smallestId = (members: readonly Line[]): string => members.map(({ fields }) => fields[0] ?? '').sort()[0] ?? '';

function setShardId(fields: string[], shardId: string): void {
  const [endpoint = '', hostname = '', ...others] = (fields[1] ?? '').split(',');
  const kept = others.filter((it) => !it.startsWith(SHARD_ID));
  fields[1] = [endpoint, hostname, ...kept, `${SHARD_ID}${shardId}`].join(',');
}

import type { ConfigurationDifference } from '../model/evidence.js';
import type { NodePlace } from '../model/work.js';
import { platformNode, type Context } from './context.js';

/**
 * A node as it was before it was touched. Kept beside the node, since it holds what must not enter a history (passwords),
 * and since it must outlive the worker and even the operation.
 */
export interface Before {
  release: string;
  /** Text of its configuration file. */
  file: string;
  /** CONFIG GET * and ACL LIST. */
  running: Record<string, string>;
  acl: string[];
  /** Its ACL file, where it has one. */
  aclFile?: { path: string; text: string };
  /** Its dataset was kept under SNAPSHOT while it was still the truth. */
  snapshot: boolean;
  /** Set when the node was given back; what then differed. */
  released?: ConfigurationDifference[];
}

const NAME = 'before';
/** Label of the files that are kept aside before a swap. */
export const SNAPSHOT = 'before-swap';
/** Label of a dataset that can't be trusted: its node starts from nothing, and is given everything by its primary. */
export const UNTRUSTED = 'untrusted';

export async function readBefore({ platform }: Context, place: NodePlace): Promise<Before | undefined> {
  const text = await platform.recall(platformNode(place), { name: NAME });
  return text === undefined ? undefined : (JSON.parse(text) as Before);
}

export async function writeBefore({ platform, token }: Context, place: NodePlace, before: Before): Promise<void> {
  await platform.remember(platformNode(place), token, { name: NAME, text: JSON.stringify(before) });
}

export async function forgetBefore({ platform, token }: Context, place: NodePlace): Promise<void> {
  for (const label of [SNAPSHOT, UNTRUSTED]) await platform.drop(platformNode(place), token, { label });
  await platform.forget(platformNode(place), token, { name: NAME });
}

import { createHash, createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import type { Deployment } from '../model/deployment.js';
import { RolloutError } from '../model/failures.js';
import { auditEntry, canonical, extend, GENESIS, identityOf, type AuditEntry, type AuditEvent, type AuditHead } from '../model/audit/entry.js'; // prettier-ignore
import { backupTarget, type BackupTarget } from './backup-target.js';
import { damaged } from './sealed.js';
import { resolveSecret } from './secrets.js';

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** How often somebody else may have been quicker. */
const ATTEMPTS = 20;

/**
 * The audit trail of one deployment, in the target of its backups: an object for each batch of lines, named by the number of
 * its first, so that the same place can't be taken twice.
 */
export class AuditTrail {
  private constructor(
    private readonly deployment: string,
    private readonly target: BackupTarget,
    private readonly key: string | undefined,
  ) {}

  /** @throws RolloutError Unauthorized, naming a reference of the deployment file */
  static async open({ name, backup, audit }: Deployment): Promise<AuditTrail> {
    return new AuditTrail(name, await backupTarget(backup), audit.signingKey);
  }

  /** For people. */
  get name(): string {
    return `${this.target.name}/${this.#prefix}`;
  }

  get #prefix(): string {
    return `${this.deployment}/audit/`;
  }

  /** What its seals can be verified with, where the key is at hand here. @throws RolloutError BadInput */
  async publicKey(): Promise<string | undefined> {
    if (this.key === undefined) return undefined;
    const key = await signingKey(this.key).catch((error: unknown) => {
      if (error instanceof RolloutError && error.type === 'Unauthorized') return undefined;
      throw error;
    });
    return key && createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString();
  }

  /** Every line, the first first. @throws RolloutError Unreachable, Unauthorized */
  async lines(): Promise<string[]> {
    const all: string[] = [];
    for (const object of await this.#objects()) all.push(...(await this.#read(object)));
    return all;
  }

  /**
   * Puts behind the last line whatever of these events is not there yet, and a seal. Safe to run again, and beside another.
   *
   * @param events all of one run so far
   * @returns how far the trail reaches then
   * @throws RolloutError Damaged where its end can't be read; Unreachable, Unauthorized, NoSpace
   */
  async append(run: string, events: readonly AuditEvent[], now: () => string): Promise<AuditHead> {
    const key = this.key === undefined ? undefined : await signingKey(this.key);
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const { head, known } = await this.#end(run);
      const fresh = events.filter((event) => !known.has(identityOf(event)));
      const [first] = fresh;
      if (!first) return head;
      const entries = extend(head, fresh, sha256);
      const last = entries.at(-1) ?? { n: head.n, hash: head.hash };
      const { deployment, operation } = first;
      const text = `${fresh.length} ${fresh.length === 1 ? 'entry' : 'entries'}`;
      const seal: AuditEvent = {
        ...{ deployment, operation, run, at: now(), kind: 'seal', text },
        ...(key ? { evidence: { signature: signed(last.hash, key), key: keyId(createPublicKey(key)) } } : {}),
      };
      const lines = [...entries, ...extend(last, [seal], sha256)];
      const content = Buffer.from(lines.map((line) => `${canonical(line)}\n`).join(''));
      if (await this.target.putNew(this.#object(head.n + 1), content)) return headOf(lines);
    }
    throw new RolloutError('Unreachable', `${this.name}: others wrote to it each time before this one could`);
  }

  #object(n: number): string {
    return `${this.#prefix}${String(n).padStart(12, '0')}.jsonl`;
  }

  async #objects(): Promise<string[]> {
    return (await this.target.list(this.#prefix)).filter((object) => object.endsWith('.jsonl'));
  }

  async #read(object: string): Promise<string[]> {
    const pieces: Buffer[] = [];
    for await (const piece of this.target.get(object)) pieces.push(piece);
    return Buffer.concat(pieces)
      .toString('utf8')
      .split('\n')
      .filter((line) => line !== '');
  }

  /** The last line, and what of this run is on record: operations of a deployment come one after the other. */
  async #end(run: string): Promise<{ head: AuditHead; known: Set<string> }> {
    const known = new Set<string>();
    let head: AuditHead | undefined;
    for (const object of (await this.#objects()).reverse()) {
      const entries = (await this.#read(object)).map((line) => this.#parsed(line, object));
      if (entries.length === 0) continue;
      head ??= headOf(entries);
      const own = entries.filter((entry) => entry.run === run);
      for (const entry of own) known.add(identityOf(entry));
      if (own.length === 0) break;
    }
    return { head: head ?? GENESIS, known };
  }

  #parsed(line: string, object: string): AuditEntry {
    try {
      return auditEntry.parse(JSON.parse(line));
    } catch {
      throw damaged(object, 'it holds a line that is no entry of a trail');
    }
  }
}

const headOf = (entries: readonly AuditEntry[]): AuditHead => {
  const last = entries.at(-1);
  return last ? { n: last.n, hash: last.hash } : GENESIS;
};

const signed = (hash: string, key: KeyObject): string => sign(null, Buffer.from(hash), key).toString('base64');

const keyId = (publicKey: KeyObject): string =>
  createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex')
    .slice(0, 16);

/** An Ed25519 key, which is the only kind that needs no choice of a digest. */
async function signingKey(reference: string): Promise<KeyObject> {
  const pem = await resolveSecret(reference);
  return ed25519(() => createPrivateKey(pem), `audit.signingKey (${reference})`, 'private');
}

function ed25519(read: () => KeyObject, what: string, kind: 'private' | 'public'): KeyObject {
  try {
    const key = read();
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {
    // Said below: what is there may be a secret.
  }
  throw new RolloutError('BadInput', `${what}: expected an Ed25519 ${kind} key in PEM, found something else`);
}

/** Verifies seals by these public keys (PEM; of a private key, its public half). @throws RolloutError BadInput */
export function sealVerifier(pems: readonly { pem: string; from: string }[]) {
  const keys = pems.map(({ pem, from }) => ed25519(() => createPublicKey(pem), from, 'public'));
  return (hash: string, signature: string, key: string): boolean | undefined => {
    const known = keys.find((it) => keyId(it) === key);
    return known && verify(null, Buffer.from(hash), known, Buffer.from(signature, 'base64'));
  };
}

import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { loadDeployment } from '../../../integrations/deployment-files.js';
import type { AuditFinding, CheckedTrail } from '../../../model/audit/verify.js';
import type { AuditEntry } from '../../../model/audit/entry.js';
import { command } from '../command.js';
import { Complaint } from '../complaint.js';
import { withTemporal } from '../temporal.js';
import { print, printJson, widthOf } from '../terminal.js';
import { auditView, verifiedView, type Verified } from '../views/audit-view.js';

export function auditCommand(): Command {
  return command('audit', {
    summary: 'who did what to a deployment, when, and on which evidence',
    description:
      'Reads the deployment’s audit trail in the target of its backups: every operation that changed it, who asked for it, who ' +
      'approved on which evidence, what was done to which node, and what was checked. With --json one entry a line, as it is kept: ' +
      'that is the file for an auditor. No Temporal is needed, and no key.',
    examples: [
      ['rollout audit orders', 'for people'],
      ['rollout audit orders --json > orders-audit.jsonl', 'as it is kept'],
      ['rollout audit verify orders', 'was anything altered?'],
      ['rollout audit verify orders-audit.jsonl', 'of a file that somebody hands you'],
    ],
  })
    .argument('<deployment>', 'name of the deployment')
    .addCommand(verifyCommand())
    .action(audit);
}

async function audit(name: string, { json }: { json?: true }): Promise<void> {
  const { AuditTrail, sha256 } = await import('../../../integrations/audit-trail.js');
  const { checkTrail } = await import('../../../model/audit/verify.js');
  const trail = await AuditTrail.open(await loadDeployment(name));
  const lines = await trail.lines();
  // As it is kept, whatever is in it.
  if (json) process.stdout.write(lines.map((line) => `${line}\n`).join(''));
  else {
    const { entries, findings } = checkTrail(lines, { digest: sha256 });
    print(auditView(entries, { deployment: name, target: trail.name, width: widthOf(process.stdout) }));
    if (findings.length > 0) throw altered(trail.name, findings, `rollout audit verify ${name}`);
  }
}

function verifyCommand(): Command {
  return (
    command('verify', {
      summary: 'prove that nothing of an audit trail was altered, or say what',
      description:
        'Recomputes every hash and follows the chain from the first entry to the last. Of a deployment it reads the trail in its ' +
        'target, and compares it with what Temporal’s own histories say, as far as Temporal still has them (a worker has to run). Of a ' +
        'file it has the chain, and the signatures with --public-key. Each finding names its line; any is exit code 3.',
      examples: [
        ['rollout audit verify orders', 'the trail itself, against Temporal'],
        ['rollout audit verify orders-audit.jsonl --public-key audit.pem', 'a file, against its signatures'],
        ['rollout audit verify orders --no-temporal', 'without asking Temporal'],
      ],
    })
      .argument('<file|deployment>', 'a file that `rollout audit --json` wrote, or the name of a deployment')
      .option('--public-key <file>', 'Ed25519 public key in PEM that its seals are to be signed with')
      .option('--no-temporal', 'do not compare with Temporal’s histories')
      // `--json` is an option of `rollout audit`, too, and may have been taken for its own.
      .action((what: string, _: unknown, self: Command) => verify(what, self.optsWithGlobals()))
  );
}

interface VerifyOptions {
  publicKey?: string;
  temporal: boolean;
  json?: true;
}

async function verify(what: string, { publicKey, temporal, json }: VerifyOptions): Promise<void> {
  const { sealVerifier, sha256 } = await import('../../../integrations/audit-trail.js');
  const { checkTrail } = await import('../../../model/audit/verify.js');
  const isFile = /[./]/.test(what);
  const trail: Trail = isFile ? { lines: await linesOf(what) } : await trailOf(what);
  const { lines } = trail;
  const pem = publicKey === undefined ? trail.pem : await read(publicKey, 'the public key');
  const checks = {
    digest: sha256,
    ...(pem === undefined ? {} : { verify: sealVerifier([{ pem, from: publicKey ?? 'audit.signingKey' }]) }),
  };
  const checked = checkTrail(lines, checks);
  const unproven = pem === undefined ? [] : notSigned(checked);
  const compared = isFile || !temporal ? undefined : await compareWithTemporal(checked.entries);
  const findings = [...checked.findings, ...unproven, ...(compared?.findings ?? [])].sort((a, b) => a.line - b.line);
  const { head, seals, signed } = checked;
  const verified: Verified = {
    ...{ entries: lines.length, head, findings, seals, signed },
    ...(compared ? { compared: { runs: compared.runs, forgotten: compared.forgotten } } : {}),
  };
  if (json) printJson({ trail: what, ...verified });
  else print(verifiedView(what, verified));
  if (findings.length > 0) throw altered(what, findings, 'docs/audit.md says what to do with a finding');
}

/** Where there is a key it is to be behind every batch. */
const notSigned = ({ entries, seals, signed }: CheckedTrail): AuditFinding[] =>
  seals === signed
    ? []
    : [{ line: entries.length, problem: `${seals - signed} of ${seals} seals are not signed with the key` }];

async function compareWithTemporal(entries: readonly AuditEntry[]) {
  const { sha256 } = await import('../../../integrations/audit-trail.js');
  const { compareWith } = await import('../../../model/audit/verify.js');
  const { witnessesOf } = await import('../../../workers/audit-witness.js');
  const witnesses = await withTemporal(({ client }) => witnessesOf(client.workflow, entries, sha256));
  const known = witnesses.filter((it) => it !== undefined);
  return {
    findings: known.flatMap((it) => compareWith(it, entries)),
    ...{ runs: known.length, forgotten: witnesses.length - known.length },
  };
}

interface Trail {
  lines: string[];
  /** Where the deployment file names a key that is at hand here, its public half. */
  pem?: string | undefined;
}

async function trailOf(deployment: string): Promise<Trail> {
  const { AuditTrail } = await import('../../../integrations/audit-trail.js');
  const trail = await AuditTrail.open(await loadDeployment(deployment));
  return { lines: await trail.lines(), pem: await trail.publicKey() };
}

const linesOf = async (file: string): Promise<string[]> =>
  (await read(file, 'the trail')).split('\n').filter((line) => line !== '');

async function read(file: string, what: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new Complaint('usage', `${what} can't be read: ${(error as Error).message}`, [
      'Name a file, or a deployment: rollout audit verify orders',
    ]);
  }
}

const altered = (what: string, findings: readonly AuditFinding[], next: string): Complaint =>
  new Complaint('stopped', `${what} is not as it was written: ${findings.length} findings`, [`See: ${next}`]);

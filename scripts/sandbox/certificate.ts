import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Certificate {
  /** Paths. */
  key: string;
  cert: string;
  /** Of a server's configuration, which has it, and trusts whoever has it. */
  lines: readonly string[];
  /** How a client of that server trusts it. */
  trust: { ca: Buffer; verify: true };
}

/** A key and a certificate for 127.0.0.1 that it has signed itself, good for two days. Made by the openssl on PATH. */
export function selfSigned(folder: string): Certificate {
  const { key, cert } = certificateFiles(folder);
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const about = ['-days', '2', '-subj', '/CN=sandbox', '-addext', 'subjectAltName=IP:127.0.0.1'];
  execFileSync('openssl', ['req', '-x509', ...curve, ...about, '-keyout', key, '-out', cert], { stdio: 'ignore' });
  const lines = [`tls-cert-file "${cert}"`, `tls-key-file "${key}"`, `tls-ca-cert-file "${cert}"`];
  return { key, cert, lines, trust: { ca: readFileSync(cert), verify: true } };
}

/** Where it puts them. */
export const certificateFiles = (folder: string): Pick<Certificate, 'key' | 'cert'> => ({
  key: join(folder, 'node.key'),
  cert: join(folder, 'node.crt'),
});

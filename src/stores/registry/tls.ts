/** Certificates for a registry: the system's, and those of containers-certs.d(5). */
import { readdir, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { BootsealError } from '../../errors.ts';
import { systemCode } from '../file-errors.ts';

export interface TlsSettings {
  readonly rejectUnauthorized: boolean;
  readonly ca?: readonly string[];
  readonly cert?: readonly string[];
  readonly key?: readonly string[];
}

/** Where distributions keep the certificates that their administrators trust. */
const SYSTEM_BUNDLES: readonly string[] = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

/** `host` is `HOST[:PORT]`, which names the folder. Throws `registry/bad-certs`. */
export async function tlsSettings(
  host: string,
  certDir: string | undefined,
  verify: boolean,
): Promise<TlsSettings> {
  const folder = certDir ?? (await defaultFolder(host));
  const found = folder === undefined ? { ca: [], cert: [], key: [] } : await readFolder(folder);
  const client = found.cert.length > 0 && { cert: found.cert, key: found.key };
  if (!verify) return { rejectUnauthorized: false, ...client };
  return { rejectUnauthorized: true, ca: [...(await systemRoots()), ...found.ca], ...client };
}

/** The first that exists is the only one that counts. */
async function defaultFolder(host: string): Promise<string | undefined> {
  const bases = [
    join(homedir(), '.config/containers/certs.d'),
    '/etc/containers/certs.d',
    '/etc/docker/certs.d',
  ];
  for (const base of bases) {
    const folder = join(base, host);
    if ((await names(folder)) !== undefined) return folder;
  }
  return undefined;
}

async function readFolder(folder: string): Promise<{ ca: string[]; cert: string[]; key: string[] }> {
  const found = { ca: [] as string[], cert: [] as string[], key: [] as string[] };
  const present = await names(folder);
  if (present === undefined) throw bad(`${folder} is not a folder that can be read`);
  for (const name of present.toSorted()) {
    if (name.endsWith('.crt')) found.ca.push(await readPem(join(folder, name)));
    if (!name.endsWith('.cert')) continue;
    const key = `${name.slice(0, -'.cert'.length)}.key`;
    if (!present.includes(key)) throw bad(`missing key ${key} for client certificate ${join(folder, name)}`);
    found.cert.push(await readPem(join(folder, name)));
    found.key.push(await readPem(join(folder, key)));
  }
  for (const name of present) {
    if (name.endsWith('.key') && !present.includes(`${name.slice(0, -'.key'.length)}.cert`)) {
      throw bad(`missing client certificate for key ${join(folder, name)}`);
    }
  }
  return found;
}

async function readPem(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw bad(`cannot read ${path}: ${(cause as Error).message}`, cause);
  });
  if (!text.includes('-----BEGIN ')) throw bad(`${path} is not a PEM file`);
  return text;
}

let roots: Promise<readonly string[]> | undefined;

/** The system's bundle as other programs of this machine use it; Node's own list where there is none. */
function systemRoots(): Promise<readonly string[]> {
  roots ??= readRoots();
  return roots;
}

async function readRoots(): Promise<readonly string[]> {
  const chosen = process.env['SSL_CERT_FILE'];
  for (const path of chosen === undefined || chosen === '' ? SYSTEM_BUNDLES : [chosen]) {
    const text = await readFile(path, 'utf8').catch(() => '');
    if (text.includes('-----BEGIN ')) return [text];
  }
  // Loading TLS takes as long as a request; a registry of this machine does without.
  return (await import('node:tls')).rootCertificates;
}

async function names(folder: string): Promise<string[] | undefined> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return undefined;
  }
}

function bad(message: string, cause?: unknown): BootsealError {
  return new BootsealError('registry/bad-certs', message, {
    ...(cause !== undefined && { cause }),
    hint: 'certs.d/HOST:PORT holds *.crt for the CA, and NAME.cert with NAME.key for a client certificate',
  });
}

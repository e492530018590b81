/**
 * Job `key generate secureboot`: the three keys of Secure Boot. PK owns the machine, KEK may change the lists, db
 * signs what boots. Each as private key, certificate, signature list and `.auth` file for enrolment by systemd-boot.
 */
import { generateKeyPair, randomUUID, X509Certificate, type KeyObject } from 'node:crypto';
import { lstat, mkdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { encodeUtf8 } from '../bytes/bytes.ts';
import { BootsealError } from '../errors.ts';
import { signVariable } from '../formats/authvar/auth.ts';
import { certificateLists, encodeSignatureLists } from '../formats/siglist/signature-list.ts';
import { buildCertificate } from '../formats/x509/build.ts';
import { certificateFingerprint, parseCertificate } from '../formats/x509/certificate.ts';
import { refuseTestName } from '../formats/x509/test-keys.ts';
import { writeFileAtomic } from '../stores/atomic-write.ts';
import { signerOf } from '../stores/keys/signing-key.ts';

export interface SecureBootKeysRequest {
  /** Made when it is not there. */
  readonly directory: string;
  /** RSA modulus. OVMF and boards take 2048 to 4096. */
  readonly bits?: 2048 | 3072 | 4096;
  /** Starts the common names: `NAME PK`, `NAME KEK`, `NAME db`. */
  readonly name: string;
  readonly days?: number;
  /** Owner GUID of the lists, as text; random by default. */
  readonly owner?: string;
  readonly clock?: () => Date;
}

export interface GeneratedSecureBootKey {
  readonly role: 'PK' | 'KEK' | 'db';
  readonly subject: string;
  readonly fingerprintSha256: string;
}

export interface SecureBootKeys {
  readonly directory: string;
  readonly owner: string;
  /** Names within the directory. */
  readonly files: readonly string[];
  readonly keys: readonly GeneratedSecureBootKey[];
}

const DAY = 24 * 60 * 60 * 1000;
const ROLES = ['PK', 'KEK', 'db'] as const;
type Role = (typeof ROLES)[number];

interface RoleKey {
  readonly role: Role;
  readonly privateKey: KeyObject;
  readonly certificate: Uint8Array;
}

interface NewFile {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly mode: number;
}

/** Writes all files or none, and never over one that exists. Throws `key/exists`, `file/cannot-write`. */
export async function generateSecureBootKeys(request: SecureBootKeysRequest): Promise<SecureBootKeys> {
  refuseTestName(request.name);
  // Refused before the keys are made, which takes seconds.
  await refuseExisting(request.directory);
  const owner = request.owner ?? randomUUID();
  const start = request.clock?.() ?? new Date();
  const now = new Date(Math.floor(start.getTime() / 1000) * 1000);
  const keys: RoleKey[] = [];
  for (const role of ROLES) keys.push(await generateRoleKey(role, request, now));

  const files: NewFile[] = [{ name: 'GUID.txt', bytes: encodeUtf8(`${owner}\n`), mode: 0o644 }];
  // 1. PK is signed by itself, KEK by PK, db by KEK.
  const signedBy: Record<Role, RoleKey> = { PK: keys[0], KEK: keys[0], db: keys[1] };
  for (const key of keys) files.push(...(await filesOf(key, signedBy[key.role], owner, now)));
  await writeAllOrNone(request.directory, files);

  return {
    directory: request.directory,
    owner,
    files: files.map(({ name }) => name),
    keys: keys.map(({ role, certificate }) => {
      const parsed = parseCertificate(certificate);
      return { role, subject: parsed.subjectText, fingerprintSha256: certificateFingerprint(parsed) };
    }),
  };
}

async function generateRoleKey(role: Role, request: SecureBootKeysRequest, now: Date): Promise<RoleKey> {
  const { publicKey, privateKey } = await promisify(generateKeyPair)('rsa', {
    modulusLength: request.bits ?? 3072,
  });
  const certificate = buildCertificate({
    commonName: `${request.name} ${role}`,
    publicKey,
    signingKey: privateKey,
    notBefore: now,
    notAfter: new Date(now.getTime() + (request.days ?? 3650) * DAY),
  });
  return { role, privateKey, certificate };
}

async function filesOf(key: RoleKey, signer: RoleKey, owner: string, time: Date): Promise<NewFile[]> {
  const { role, certificate } = key;
  const list = encodeSignatureLists(certificateLists(owner, [certificate]));
  const update = { name: role, contents: list, time };
  const auth = await signVariable(update, signer.certificate, signerOf(signer.privateKey));
  const pem = new X509Certificate(certificate).toString();
  return [
    {
      name: `${role}.key`,
      bytes: encodeUtf8(key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()),
      mode: 0o600,
    },
    { name: `${role}.crt`, bytes: encodeUtf8(pem), mode: 0o644 },
    { name: `${role}.cer`, bytes: certificate, mode: 0o644 },
    { name: `${role}.esl`, bytes: list, mode: 0o644 },
    { name: `${role}.auth`, bytes: auth, mode: 0o644 },
  ];
}

async function refuseExisting(directory: string): Promise<void> {
  const names = [
    'GUID.txt',
    ...ROLES.flatMap((role) => ['key', 'crt', 'cer', 'esl', 'auth'].map((end) => `${role}.${end}`)),
  ];
  for (const name of names) {
    const path = join(directory, name);
    const found = await lstat(path).catch(() => undefined);
    if (found === undefined) continue;
    throw new BootsealError('key/exists', `Refusing to overwrite existing ${JSON.stringify(path)}`, {
      exit: 2,
      hint: 'choose another directory; a lost private key cannot be made again',
    });
  }
}

async function writeAllOrNone(directory: string, files: readonly NewFile[]): Promise<void> {
  const created = await mkdir(directory, { recursive: true, mode: 0o700 }).catch((cause: unknown) => {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new BootsealError('file/cannot-write', `cannot make ${directory}: ${message}`, { cause });
  });
  const written: string[] = [];
  try {
    for (const { name, bytes, mode } of files) {
      const path = join(directory, name);
      await writeFileAtomic(path, [bytes], { mode, overwrite: false });
      written.push(path);
    }
  } catch (error) {
    for (const path of written) await rm(path, { force: true });
    if (created !== undefined) await rmdir(directory).catch(() => undefined);
    throw error;
  }
}

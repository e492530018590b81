/** Credentials files: containers-auth.json(5), Docker's config.json, and the older .dockercfg. */
import { decodeUtf8 } from '../../bytes/bytes.ts';
import { BootsealError } from '../../errors.ts';

export interface AuthEntry {
  readonly username: string;
  readonly password: string;
  /** Stands for the password at a token server; Docker writes it after a login by browser. */
  readonly identityToken?: string;
}

export interface AuthFile {
  /** Keys as written: `quay.io`, `quay.io/acme`, `https://index.docker.io/v1/`. */
  readonly auths: ReadonlyMap<string, AuthEntry>;
  /** Host to the name of a program `docker-credential-NAME`. */
  readonly credentialHelpers: ReadonlyMap<string, string>;
  /** .dockercfg: every key may be a URL, and names only hosts. */
  readonly legacy: boolean;
}

/** A file of more than this is no credentials file. */
export const MAX_AUTH_FILE: number = 1024 * 1024;

/** A helper's name becomes part of a program's name: nothing that could be a path. */
const HELPER_NAME = /^[A-Za-z0-9_-]{1,64}$/;

/**
 * Reads the file. `credsStore` and fields that we do not know are ignored, as containers/image does.
 * Throws `auth/malformed`, `auth/bad-helper`. No message holds anything of a secret.
 */
export function parseAuthFile(bytes: Uint8Array, legacy = false): AuthFile {
  if (bytes.length > MAX_AUTH_FILE) throw bad(`file of ${bytes.length} bytes exceeds ${MAX_AUTH_FILE}`);
  const document = asObject(parse(bytes), 'file');
  const auths = new Map<string, AuthEntry>();
  const listed = legacy ? document : asObject(document['auths'] ?? {}, 'auths');
  for (const [key, value] of Object.entries(listed)) auths.set(key, readEntry(value, key));
  const credentialHelpers = new Map<string, string>();
  const helpers = legacy ? {} : asObject(document['credHelpers'] ?? {}, 'credHelpers');
  for (const [host, name] of Object.entries(helpers)) {
    if (typeof name !== 'string') throw bad(`credHelpers[${JSON.stringify(host)}] is not a string`);
    credentialHelpers.set(host, checkHelperName(name));
  }
  return { auths, credentialHelpers, legacy };
}

/** Throws `auth/bad-helper` for a name that is not letters, digits, `-` and `_`. */
export function checkHelperName(name: string): string {
  if (HELPER_NAME.test(name)) return name;
  throw new BootsealError(
    'auth/bad-helper',
    `credential helper name ${JSON.stringify(name.slice(0, 80))} is not allowed`,
    {
      hint: 'a helper is named by letters, digits, - and _: "secretservice" means docker-credential-secretservice',
    },
  );
}

function readEntry(value: unknown, key: string): AuthEntry {
  const entry = asObject(value ?? {}, `auths[${JSON.stringify(key)}]`);
  const { auth, identitytoken } = entry;
  if (auth !== undefined && typeof auth !== 'string')
    throw bad(`auths[${JSON.stringify(key)}].auth is not a string`);
  if (identitytoken !== undefined && typeof identitytoken !== 'string') {
    throw bad(`auths[${JSON.stringify(key)}].identitytoken is not a string`);
  }
  const identity = identitytoken !== undefined && identitytoken !== '' && { identityToken: identitytoken };
  return { ...decodeBasic(auth ?? '', key), ...identity };
}

/** base64 of `user:password`; the user ends at the first colon. Docker pads some passwords with zero bytes. */
function decodeBasic(auth: string, key: string): { readonly username: string; readonly password: string } {
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(auth)) {
    throw bad(`auths[${JSON.stringify(key)}].auth is not base64`);
  }
  const text = decodeUtf8(Buffer.from(auth, 'base64'));
  if (text === undefined) throw bad(`auths[${JSON.stringify(key)}].auth is not UTF-8`);
  const colon = text.indexOf(':');
  // Without a colon it holds no credentials; containers/image then goes on as if there were none.
  if (colon < 0) return { username: '', password: '' };
  return { username: text.slice(0, colon), password: text.slice(colon + 1).replace(/\0+$/, '') };
}

function parse(bytes: Uint8Array): unknown {
  const text = decodeUtf8(bytes);
  if (text === undefined) throw bad('file is not UTF-8');
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own message quotes the text around the error, which may be a password.
    throw bad('file is not JSON');
  }
}

function asObject(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw bad(`${what} is not an object`);
}

function bad(message: string): BootsealError {
  return new BootsealError('auth/malformed', message, {
    hint: 'see containers-auth.json(5); log in again to rewrite it',
  });
}

/** Signature files by themselves: checked against a manifest file, or shown without being checked. */
import { isBootsealError, withDetails, BootsealError } from '../errors.ts';
import { MAX_MANIFEST_SIZE } from '../formats/oci/manifest.ts';
import { MAX_KEYRING_SIZE, MAX_MESSAGE_SIZE } from '../formats/openpgp/format.ts';
import { openKeyringFiles, parseSignedMessage, readKeyringFile } from '../formats/openpgp/index.ts';
import { parseSimplePayload } from '../formats/simple-signing/payload.ts';
import { exportPublicKeys } from '../stores/keys/gpg.ts';
import { readSmallFile } from '../stores/trust-files/read-file.ts';
import { judgeStandalone, type StandaloneVerdict } from '../trust/signatures/standalone.ts';

export interface StandaloneRequest {
  readonly manifestFile: string;
  readonly reference: string;
  /** Separated by commas, or `any`. */
  readonly fingerprints: string;
  readonly signatureFile: string;
  /** Default: what the user's gpg has. */
  readonly publicKeyFile?: string;
}

export interface StandalonePorts {
  readonly env?: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal;
}

/** `skopeo standalone-verify`. Throws for what cannot be read, in skopeo's words. */
export async function verifyStandalone(
  request: StandaloneRequest,
  ports: StandalonePorts = {},
): Promise<StandaloneVerdict> {
  const { manifestFile, reference, fingerprints, signatureFile, publicKeyFile } = request;
  if (fingerprints === 'any' && publicKeyFile === undefined) {
    throw new BootsealError('verify/any-key', 'Cannot use any fingerprint without a public key file', {
      exit: 2,
      hint: 'name the keys: --public-key-file FILE',
    });
  }
  const manifest = await read('manifest', manifestFile, MAX_MANIFEST_SIZE);
  const signature = await read('signature', signatureFile, MAX_MESSAGE_SIZE);
  const keys =
    publicKeyFile === undefined
      ? await exportPublicKeys(undefined, ports)
      : await read('public keys', publicKeyFile, MAX_KEYRING_SIZE);
  return judgeStandalone(signature, {
    manifest,
    reference,
    fingerprints: fingerprints === 'any' ? 'any' : fingerprints.split(','),
    keyring: await openKeyringFiles([readKeyringFile(keys)]),
    now: Date.now() / 1000,
  });
}

async function read(what: string, file: string, maxSize: number): Promise<Uint8Array> {
  try {
    return await readSmallFile(file, { maxSize, code: 'verify/unreadable' });
  } catch (error) {
    if (!isBootsealError(error)) throw error;
    const message = `Error reading ${what} from ${file}: ${error.message}`;
    throw withDetails(new BootsealError(error.code, message, { where: file }), { cause: error });
  }
}

/** What a signature claims. Nothing of it has been checked. */
export interface UntrustedSignature {
  readonly digest: string;
  readonly reference: string;
  readonly creator: string | undefined;
  /** Seconds since 1970. */
  readonly timestamp: number | undefined;
  /** 16 upper-case hexadecimal digits. */
  readonly keyId: string;
}

/** For looking at a signature that is refused. Throws `openpgp/…`, `json/…`, `cosign/bad-payload`. */
export async function readUntrustedSignature(file: string): Promise<UntrustedSignature> {
  const { signature, content } = parseSignedMessage(await read('signature', file, MAX_MESSAGE_SIZE));
  const payload = parseSimplePayload(content);
  return {
    digest: payload.manifestDigest,
    reference: payload.dockerReference,
    creator: payload.creator,
    timestamp: payload.timestamp,
    keyId: (signature.issuers[0] ?? '').slice(-16).padStart(16, '0'),
  };
}

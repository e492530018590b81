/** A simple signature of a manifest file, written to a file: `skopeo standalone-sign`. */
import { BootsealError, isBootsealError } from '../errors.ts';
import { digestOf, type Digest } from '../formats/oci/digest.ts';
import { MAX_MANIFEST_SIZE } from '../formats/oci/manifest.ts';
import { writeFileAtomic } from '../stores/atomic-write.ts';
import { readSmallFile } from '../stores/trust-files/read-file.ts';
import { openGpgKey, signSimple, type GpgKeyRequest, type GpgPorts } from './gpg-signer.ts';
import type { SignOptions } from './sign-manifest.ts';

export interface StandaloneSignRequest extends GpgKeyRequest {
  readonly manifestFile: string;
  /** Signed as it is given: skopeo does not look at it either, and a bare name is of use with matchRepository. */
  readonly reference: string;
  readonly output: string;
  readonly options?: SignOptions;
}

/** Throws `sign/unreadable`, `gpg/…`, `sign/self-check`, `file/cannot-write`. */
export async function signStandalone(
  request: StandaloneSignRequest,
  ports: GpgPorts = {},
): Promise<{ readonly digest: Digest; readonly fingerprint: string }> {
  const { manifestFile, reference, output, options } = request;
  const digest = digestOf(await readManifest(manifestFile));
  const key = await openGpgKey(request, ports);
  await writeFileAtomic(output, [await signSimple(digest, reference, key, options)]);
  return { digest, fingerprint: key.fingerprint };
}

async function readManifest(file: string): Promise<Uint8Array> {
  try {
    return await readSmallFile(file, { maxSize: MAX_MANIFEST_SIZE, code: 'sign/unreadable' });
  } catch (cause) {
    if (!isBootsealError(cause)) throw cause;
    throw new BootsealError(cause.code, `Error reading ${file}: ${cause.message}`, { cause, where: file });
  }
}

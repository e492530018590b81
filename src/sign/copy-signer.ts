/** Signing while copying: the key, and the name that will be signed. Both are settled before a blob is read. */
import { BootsealError } from '../errors.ts';
import { formatReference } from '../formats/reference/docker-reference.ts';
import { formatImageName, type ImageName } from '../formats/reference/image-name.ts';
import type { CopySigner } from './copy-types.ts';
import {
  isSimpleSignatureOf,
  openGpgKey,
  signSimple,
  type GpgKeyRequest,
  type GpgPorts,
} from './gpg-signer.ts';
import { isSignatureOf } from './own-signature.ts';
import { loadPrivateKey, type AskPassphrase, type PrivateKeyRequest } from './private-key-file.ts';
import { checkSignable, parseSignIdentity, signManifest, type SignOptions } from './sign-manifest.ts';

/** `identity` as `--sign-identity` gives it; else the destination's own name. Throws `sign/no-name`, `sign/bare-identity`, `key/…`, `cosign/…`. */
export async function copySigner(
  to: ImageName,
  key: PrivateKeyRequest,
  identity: string | undefined,
  ask: AskPassphrase,
): Promise<CopySigner> {
  const name = identity === undefined ? ownName(to) : parseSignIdentity(identity);
  const loaded = await loadPrivateKey(key, ask);
  return {
    sign: (digest) => signManifest(digest, name, loaded),
    isOwn: (signature, digest) => isSignatureOf(signature, loaded, digest, name),
  };
}

/** The same with a key of the user's gpg: simple signing. Throws `gpg/…` besides. */
export async function copyGpgSigner(
  to: ImageName,
  key: GpgKeyRequest,
  identity: string | undefined,
  ports: GpgPorts & { readonly options?: SignOptions },
): Promise<CopySigner> {
  const name = identity === undefined ? ownName(to) : parseSignIdentity(identity);
  const reference = formatReference(name);
  const opened = await openGpgKey(key, ports);
  return {
    async sign(digest) {
      checkSignable(digest, name);
      return { kind: 'simple-signing', bytes: await signSimple(digest, reference, opened, ports.options) };
    },
    isOwn: (signature, digest) => isSimpleSignatureOf(signature, opened, digest, reference),
  };
}

function ownName(to: ImageName): ReturnType<typeof parseSignIdentity> {
  if (to.transport === 'docker') return to.reference;
  throw new BootsealError(
    'sign/no-name',
    `Cannot determine canonical Docker reference for destination ${formatImageName(to)}`,
    { exit: 2, hint: 'say which name to sign: --sign-identity HOST/PATH:TAG' },
  );
}

/**
 * An image in a folder, judged under the name that it has elsewhere. Nothing of it, or about it, is asked of the
 * network: signatures are those in the folder, and those of look-aside stores that are folders too.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { BootsealError, isBootsealError } from '../errors.ts';
import { attachmentTag } from '../formats/cosign/attachment.ts';
import type { Digest } from '../formats/oci/digest.ts';
import type { DockerReference } from '../formats/reference/docker-reference.ts';
import { parseImageName, type ImageName } from '../formats/reference/image-name.ts';
import type { RegistriesConfig } from '../formats/registries-d/config.ts';
import type { ImageSource, ManifestBlob } from '../stores/image.ts';
import { openSource } from '../stores/open.ts';

/** Transports that are files of this machine. */
const LOCAL: readonly ImageName['transport'][] = ['dir', 'oci', 'oci-archive', 'docker-archive'];

/** A name with its transport, or a folder of either kind. Throws `verify/not-local`, and what the transport throws. */
export async function localName(text: string): Promise<ImageName> {
  if (/^(?:dir|oci|oci-archive|docker-archive):/.test(text)) return parseImageName(text);
  if (await isThere(join(text, 'oci-layout'))) return { transport: 'oci', path: text };
  if (await isThere(join(text, 'manifest.json'))) return { transport: 'dir', path: text };
  throw new BootsealError('verify/not-local', `${text} is no folder with an image`, {
    exit: 2,
    hint: 'name a folder that was made with copy … dir:FOLDER or oci:FOLDER, or a whole name: oci-archive:FILE',
  });
}

export async function openOffline(
  name: ImageName,
  identity: DockerReference,
  signal?: AbortSignal,
): Promise<ImageSource> {
  if (!LOCAL.includes(name.transport)) {
    throw new BootsealError('verify/not-local', `${name.transport}: is not read offline`, { exit: 2 });
  }
  const source = await openSource(name, { ...(signal && { signal }) });
  try {
    const top = await source.topManifest();
    if (identity.digest !== undefined && identity.digest !== top.digest) {
      const message = `the image is ${top.digest}, and the name says ${identity.digest}`;
      throw new BootsealError('trust/digest-mismatch', message, { exit: 1 });
    }
    return {
      name: { transport: 'docker', reference: identity },
      topManifest: () => source.topManifest(),
      manifest: (digest) => source.manifest(digest),
      blob: (descriptor, options) => source.blob(descriptor, options),
      ...(source.storedSignatures && { storedSignatures: (digest) => source.storedSignatures!(digest) }),
      ...(name.transport === 'oci' && attachmentsOf(name, signal)),
      web: { send: refuse },
      close: () => source.close(),
    };
  } catch (error) {
    await source.close();
    throw error;
  }
}

/** Where a layout has the tag of an attachment beside the image (`skopeo copy docker://…:sha256-HEX.sig oci:FOLDER:…`). */
function attachmentsOf(
  { path }: { readonly path: string },
  signal: AbortSignal | undefined,
): Required<Pick<ImageSource, 'attachment'>> {
  return {
    async attachment(digest: Digest): Promise<ManifestBlob | undefined> {
      try {
        const options = { ...(signal && { signal }) };
        const source = await openSource({ transport: 'oci', path, image: attachmentTag(digest) }, options);
        const manifest = await source.topManifest();
        await source.close();
        return manifest;
      } catch (error) {
        if (isBootsealError(error) && error.code === 'oci/no-such-image') return undefined;
        throw error;
      }
    },
  };
}

function refuse(): never {
  throw new BootsealError('verify/offline', 'a look-aside store of registries.d is on the network', {
    hint: 'name another folder with --registries.d, or copy its signatures into a folder: lookaside: file:///…',
  });
}

/** Attachments that lie in the folder are read, whatever registries.d says about the registry. */
export function withAttachments(config: RegistriesConfig): RegistriesConfig {
  const section = config.defaultDocker?.section ?? {
    lookaside: '',
    lookasideStaging: '',
    sigstore: '',
    sigstoreStaging: '',
  };
  const file = config.defaultDocker?.file ?? '--offline';
  return { ...config, defaultDocker: { section: { ...section, useSigstoreAttachments: true }, file } };
}

async function isThere(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

/** Reading an image from a registry. */
import type { DockerReference } from '../../formats/reference/docker-reference.ts';
import type { ImageName } from '../../formats/reference/image-name.ts';
import type { ImageSource } from '../image.ts';
import type { TransportOptions } from '../transport-options.ts';
import { getAttachment } from './attachment.ts';
import { getBlob } from './blob-download.ts';
import { openClient } from './client.ts';
import { getManifest } from './manifests.ts';
import { fromFirst } from './pull.ts';
import { listReferrers } from './referrers.ts';
import { getExtensionSignatures } from './signature-extension.ts';

type DockerName = Extract<ImageName, { readonly transport: 'docker' }>;

/** Asks the registry for the tag once: whatever it says later, this source means these bytes. */
export function openRegistrySource(name: DockerName, options: TransportOptions): Promise<ImageSource> {
  return fromFirst(name.reference, options, (physical, own) => openAt(name, physical, own));
}

async function openAt(
  name: DockerName,
  physical: DockerReference,
  options: TransportOptions,
): Promise<ImageSource> {
  const client = await openClient(physical, options);
  try {
    const top = await getManifest(client, physical.digest ?? physical.tag ?? 'latest');
    return {
      name,
      physical,
      topManifest: () => Promise.resolve(top),
      manifest: (digest) => (digest === top.digest ? Promise.resolve(top) : getManifest(client, digest)),
      blob: (descriptor, read) => getBlob(client, descriptor, read),
      attachment: (digest) => getAttachment(client, digest),
      referrers: async (digest) => (await listReferrers(client, digest)).descriptors,
      web: client.http,
      extensionSignatures: (digest) => getExtensionSignatures(client, digest),
      close: () => client.close(),
    };
  } catch (error) {
    await client.close();
    throw error;
  }
}

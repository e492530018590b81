/** The v3 bundles that refer to an image, fetched and parsed; what is in them is for the caller to check. */
import { concatBytes } from '../bytes/bytes.ts';
import { isBootsealError, type BootsealError } from '../errors.ts';
import type { Digest } from '../formats/oci/digest.ts';
import { bundleLayer, mayBeBundle } from '../formats/sigstore-bundle/artifact.ts';
import { parseBundle } from '../formats/sigstore-bundle/reader.ts';
import type { ImageSource } from '../stores/image.ts';
import type { FoundBundle } from '../trust/bundles/found.ts';

/** As much of a store as bundles are read from. */
export type BundleStore = Pick<ImageSource, 'referrers' | 'manifest' | 'blob'>;

/** Requests at a time. */
const PARALLEL = 4;

/**
 * In the order of the list. A store without referrers has none. Throws what reaching the store throws, and
 * `registry/too-many-referrers`; what is wrong with one artifact is told beside it.
 */
export async function readBundles(source: BundleStore, image: Digest): Promise<readonly FoundBundle[]> {
  const listed = (await source.referrers?.(image)) ?? [];
  const candidates = listed.filter(mayBeBundle);
  const found: (FoundBundle | undefined)[] = Array.from({ length: candidates.length });
  let next = 0;
  async function worker(): Promise<void> {
    while (next < candidates.length) {
      const at = next++;
      found[at] = await readOne(source, candidates[at].digest, image);
    }
  }
  await Promise.all(Array.from({ length: Math.min(PARALLEL, candidates.length) }, worker));
  return found.filter((each) => each !== undefined);
}

async function readOne(
  source: BundleStore,
  artifact: Digest,
  image: Digest,
): Promise<FoundBundle | undefined> {
  try {
    const layer = bundleLayer(await source.manifest(artifact), image);
    if (layer === undefined) return undefined;
    const parts: Uint8Array[] = [];
    for await (const part of source.blob(layer)) parts.push(part);
    return { artifact, bundle: parseBundle(concatBytes(parts)) };
  } catch (error) {
    if (isBootsealError(error) && isOwnFault(error)) return { artifact, fault: error };
    throw error;
  }
}

/** What an artifact is to blame for, as opposed to the network. A registry may list what it has not got. */
function isOwnFault({ code }: BootsealError): boolean {
  return (
    /^(bundle|oci|store|json)\//.test(code) ||
    ['registry/manifest-unknown', 'registry/not-found', 'registry/not-json', 'registry/bad-reply'].includes(
      code,
    )
  );
}

/** What a repository offers: its names, and what each of them means. */
import { parseDigest, type Digest } from '../../formats/oci/digest.ts';
import { decodeTag, streamName } from '../../formats/composefs-repo/names.ts';
import { objectOf, type ComposefsRepo } from '../../stores/composefs-repo/repository.ts';
import { readStream, rootsOf } from './contents.ts';

export interface ListedImage {
  readonly tag: string;
  readonly manifest: Digest;
  readonly layers: number;
  /** fs-verity digests of its composefs images, in hexadecimal, by the name of the reference that holds them. */
  readonly images: ReadonlyMap<string, string>;
}

const TAGS = 'streams/refs/oci/';
const MANIFEST = 'oci-manifest-';
const CONFIG = 'config:';

/** In the order of their names. Throws `repo/…`, `splitstream/…` for one that cannot be read. */
export async function listRepo(repo: ComposefsRepo): Promise<readonly ListedImage[]> {
  const listed: ListedImage[] = [];
  for (const [path, name] of await rootsOf(repo, 'streams')) {
    if (!path.startsWith(TAGS) || name === undefined || !name.startsWith(MANIFEST)) continue;
    const manifest = parseDigest(name.slice(MANIFEST.length), path);
    const object = await objectOf(repo, `streams/${streamName('manifest', manifest)}`);
    if (object === undefined) continue;
    const { namedRefs } = await readStream(repo, object);
    const config = [...namedRefs].find(([ref]) => ref.startsWith(CONFIG));
    const refs =
      config === undefined ? new Map<string, string>() : (await readStream(repo, config[1])).namedRefs;
    listed.push({
      tag: decodeTag(path.slice(TAGS.length)),
      manifest,
      layers: namedRefs.size - (config === undefined ? 0 : 1),
      images: new Map([...refs].filter(([ref]) => ref.startsWith('composefs.image'))),
    });
  }
  return listed.sort((a, b) => (a.tag < b.tag ? -1 : 1));
}

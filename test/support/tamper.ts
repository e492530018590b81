/**
 * The ways of changing a sealed and signed image after the fact, done to an image in a real registry. Each is what
 * somebody with that much power would do: the registry's disk, an old key, another repository, or even the signing
 * key of the image but not that of Secure Boot.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { blobPath, findInTar, readImage, sha256, writeImage, type EditableImage } from './layout.ts';
import type { TestRegistry } from './registry.ts';

/** What the cases work on. */
export interface TamperGround {
  readonly registry: Pick<TestRegistry, 'host' | 'url' | 'folder'>;
  /** For layouts that are written on the way. */
  readonly folder: string;
  /** `acme/os`: the good image is there under `good`, signed, and the cases add further tags. */
  readonly repository: string;
  /** OCI layout and tag of the good image, as it was pushed. */
  readonly sealed: { readonly layout: string; readonly tag: string };
  /** The same of another image, sealed by the same Secure Boot key. */
  readonly otherSealed: { readonly layout: string; readonly tag: string };
  /** Path of the UKI in both images. */
  readonly ukiPath: string;
  /**
   * `copy --sign-by-sigstore-private-key`: pushes a layout and signs it under the name it is pushed to. `image` is
   * REPOSITORY:TAG. `stranger`: with a key that the policy does not name.
   */
  readonly push: (layout: string, tag: string, image: string, key: 'own' | 'stranger') => Promise<void>;
  /** `copy` within the registry, signatures included. */
  readonly copy: (from: string, to: string) => Promise<void>;
}

export interface TamperCase {
  readonly name: string;
  readonly title: string;
  /** What stops it: the step of the verification that must fail. */
  readonly stoppedBy: 'signature' | 'manifest' | 'layers' | 'seal' | 'uki';
  /** Reaches into the registry, by its disk or its API. */
  readonly onRegistry?: true;
  /** Makes the change and returns REPOSITORY:TAG to verify, and how to put things right again. */
  readonly apply: (ground: TamperGround) => Promise<Tampered>;
}

export interface Tampered {
  readonly image: string;
  readonly undo: () => Promise<void>;
}

export const TAMPER_CASES: readonly TamperCase[] = [
  {
    name: 'manifest-byte',
    title: 'one byte of the manifest, on the disk of the registry',
    stoppedBy: 'signature',
    onRegistry: true,
    apply: (ground) =>
      // A digit of a digest: the manifest stays one that registry and clients can read.
      changeStored(
        ground,
        () => sha256(manifestBytes(ground.sealed.layout, ground.sealed.tag)),
        (bytes) => {
          const at = bytes.lastIndexOf('sha256:') + 'sha256:'.length;
          bytes[at] = bytes[at] === 0x30 ? 0x31 : 0x30;
        },
      ),
  },
  {
    name: 'layer-byte',
    title: 'one byte of a layer, on the disk of the registry',
    stoppedBy: 'layers',
    onRegistry: true,
    apply: (ground) =>
      changeStored(
        ground,
        (image) => image.manifest.layers[0].digest,
        (bytes) => {
          bytes[bytes.length >> 1] ^= 1;
        },
      ),
  },
  {
    name: 'signature-byte',
    title: 'one byte of the signature',
    stoppedBy: 'signature',
    onRegistry: true,
    apply: changeSignature,
  },
  {
    name: 'other-key',
    title: 'signed by a key that the policy does not name',
    stoppedBy: 'signature',
    apply: async (ground) => pushChanged(ground, 'other-key', (image) => image, 'stranger'),
  },
  {
    name: 'other-repository',
    title: 'a good signature of another repository, moved here with its image',
    stoppedBy: 'signature',
    onRegistry: true,
    async apply(ground) {
      const elsewhere = `${ground.repository}-testing`;
      const layout = writeChanged(ground, 'other-repository', (image) => image);
      await ground.push(layout, 'latest', `${elsewhere}:1`, 'own');
      const image = `${ground.repository}:other-repository`;
      await ground.copy(`${elsewhere}:1`, image);
      await moveSignature(ground, elsewhere, sha256(manifestBytes(layout, 'latest')));
      return { image, undo: nothing };
    },
  },
  {
    name: 'uki-cmdline',
    title: 'one byte of the kernel command line inside the UKI; the image signed again',
    stoppedBy: 'uki',
    apply: (ground) =>
      pushChanged(ground, 'uki-cmdline', (image) =>
        changeFile(image, ground.ukiPath, (uki) => {
          const changed = Buffer.from(uki);
          const at = changed.indexOf('console=');
          if (at < 0) throw new Error('the command line of the UKI names no console');
          changed.write('CONSOLE=', at);
          return changed;
        }),
      ),
  },
  {
    name: 'uki-trailing',
    title: 'one byte behind the end of the UKI; the image signed again',
    stoppedBy: 'uki',
    apply: (ground) =>
      pushChanged(ground, 'uki-trailing', (image) =>
        changeFile(image, ground.ukiPath, (uki) => Buffer.concat([uki, Buffer.from([0])])),
      ),
  },
  {
    name: 'other-composefs',
    title: 'the good UKI of another image, with the composefs= of that; the image signed again',
    stoppedBy: 'seal',
    apply: (ground) =>
      pushChanged(ground, 'other-composefs', (image) => {
        const other = readImage(ground.otherSealed.layout, ground.otherSealed.tag);
        return changeFile(image, ground.ukiPath, () => fileOf(other, ground.ukiPath));
      }),
  },
  {
    name: 'changed-file',
    title: 'another file in a layer, and everything signed again but the UKI',
    stoppedBy: 'seal',
    apply: (ground) =>
      pushChanged(ground, 'changed-file', (image) =>
        changeFile(image, 'etc/hostname', () => Buffer.from('backdoor\n')),
      ),
  },
];

const nothing = (): Promise<void> => Promise.resolve();

/** A new layout of the good image, changed; its manifest gets a digest of its own even when the change is none. */
function writeChanged(
  ground: TamperGround,
  name: string,
  change: (image: EditableImage) => EditableImage,
): string {
  const image = change(readImage(ground.sealed.layout, ground.sealed.tag));
  image.manifest = { ...image.manifest, annotations: { ...image.manifest.annotations, case: name } };
  const layout = join(ground.folder, name);
  writeImage(layout, 'latest', image);
  return layout;
}

async function pushChanged(
  ground: TamperGround,
  name: string,
  change: (image: EditableImage) => EditableImage,
  key: 'own' | 'stranger' = 'own',
): Promise<Tampered> {
  const image = `${ground.repository}:${name}`;
  await ground.push(writeChanged(ground, name, change), 'latest', image, key);
  return { image, undo: nothing };
}

/** Changes a blob where docker-registry keeps it. */
function changeStored(
  ground: TamperGround,
  choose: (image: EditableImage) => string,
  change: (bytes: Buffer) => void,
): Promise<Tampered> {
  const image = readImage(ground.sealed.layout, ground.sealed.tag);
  const hex = choose(image).replace('sha256:', '');
  const blobs = join(ground.registry.folder, 'data', 'docker', 'registry', 'v2', 'blobs', 'sha256');
  const path = join(blobs, hex.slice(0, 2), hex, 'data');
  const good = readFileSync(path);
  const bad = Buffer.from(good);
  change(bad);
  writeFileSync(path, bad);
  return Promise.resolve({
    image: `${ground.repository}:good`,
    undo: async () => writeFileSync(path, good),
  });
}

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

/** Replaces one base64 digit in the annotation that holds the signature, in each when there are several. */
async function changeSignature(ground: TamperGround): Promise<Tampered> {
  const { layout, tag } = ground.sealed;
  const url = attachmentUrl(ground, ground.repository, sha256(manifestBytes(layout, tag)));
  const good = await getManifest(url);
  const bad = good.replace(
    /("dev\.cosignproject\.cosign\/signature":\s*"[^"]{40})(.)/g,
    (_, before: string, digit: string) => `${before}${digit === 'A' ? 'B' : 'A'}`,
  );
  if (bad === good) throw new Error(`no signature in ${url}`);
  await putManifest(url, bad);
  return { image: `${ground.repository}:good`, undo: () => putManifest(url, good) };
}

/** Takes the attachment of an image over from another repository, as anybody can who may write to both. */
async function moveSignature(ground: TamperGround, from: string, digest: string): Promise<void> {
  const text = await getManifest(attachmentUrl(ground, from, digest));
  const { config, layers } = JSON.parse(text) as { config: { digest: string }; layers: { digest: string }[] };
  for (const blob of [config, ...layers]) {
    const mount = `${ground.registry.url}/v2/${ground.repository}/blobs/uploads/?mount=${blob.digest}&from=${from}`;
    await demandOk(await fetch(mount, { method: 'POST' }));
  }
  await putManifest(attachmentUrl(ground, ground.repository, digest), text);
}

function attachmentUrl({ registry }: TamperGround, repository: string, digest: string): string {
  return `${registry.url}/v2/${repository}/manifests/${digest.replace(':', '-')}.sig`;
}

async function getManifest(url: string): Promise<string> {
  return (await demandOk(await fetch(url, { headers: { accept: MANIFEST } }))).text();
}

async function putManifest(url: string, body: string): Promise<void> {
  await demandOk(await fetch(url, { method: 'PUT', headers: { 'content-type': MANIFEST }, body }));
}

async function demandOk(answer: Response): Promise<Response> {
  if (!answer.ok) throw new Error(`${answer.url}: ${answer.status} ${await answer.text()}`);
  return answer;
}

function manifestBytes(layout: string, tag: string): Uint8Array {
  const index = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')) as {
    manifests: { digest: string; annotations?: Record<string, string> }[];
  };
  const entry = index.manifests.find(
    ({ annotations }) => annotations?.['org.opencontainers.image.ref.name'] === tag,
  );
  if (!entry) throw new Error(`no ${tag} in ${layout}`);
  return readFileSync(blobPath(layout, entry.digest));
}

function fileOf(image: EditableImage, path: string): Uint8Array {
  for (const tar of image.layers.toReversed()) {
    const place = placeOf(tar, path);
    if (place) return tar.subarray(place.start, place.start + place.size);
  }
  throw new Error(`no ${path} in the image`);
}

/** The image with other content of one file, in the topmost layer that has it; the entry's header fits again. */
export function changeFile(
  image: EditableImage,
  path: string,
  change: (content: Uint8Array) => Uint8Array,
): EditableImage {
  const at = image.layers.findLastIndex((tar) => placeOf(tar, path) !== undefined);
  if (at < 0) throw new Error(`no ${path} in the image`);
  const layers = [...image.layers];
  layers[at] = changeEntry(layers[at], path, change);
  return { ...image, layers };
}

const BLOCK = 512;

function changeEntry(tar: Uint8Array, path: string, change: (content: Uint8Array) => Uint8Array): Uint8Array {
  const { start, size } = findInTar(tar, path);
  const content = change(tar.subarray(start, start + size));
  const header = Buffer.from(tar.subarray(start - BLOCK, start));
  header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124, 'latin1');
  // The checksum is the sum of the header's bytes with its own field taken as spaces.
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return Buffer.concat([
    tar.subarray(0, start - BLOCK),
    header,
    content,
    Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK),
    tar.subarray(start + Math.ceil(size / BLOCK) * BLOCK),
  ]);
}

function placeOf(tar: Uint8Array, path: string): { start: number; size: number } | undefined {
  try {
    return findInTar(tar, path);
  } catch {
    return undefined;
  }
}

/**
 * What a signature covers, and what lies beside it: everything that is not covered is edited here, one thing at a time.
 * Either that is refused, or the verdict is the same, about the same bytes. The list is in SECURITY.md.
 */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { after, before, beforeEach, test } from 'node:test';
import { attachmentTag } from '../../src/formats/cosign/attachment.ts';
import { encodeStoredSignature } from '../../src/formats/cosign/signature.ts';
import { digestOf, type Digest } from '../../src/formats/oci/digest.ts';
import { MEDIA_TYPES } from '../../src/formats/oci/media-types.ts';
import { isBootsealError } from '../../src/errors.ts';
import type { ImageName } from '../../src/formats/reference/image-name.ts';
import { signImage } from '../../src/sign/sign.ts';
import { signManifest } from '../../src/sign/sign-manifest.ts';
import type { ManifestBlob } from '../../src/stores/image.ts';
import { verifyImage } from '../../src/verify/verify.ts';
import { startHostileRegistry, type HostileRegistry } from '../support/hostile-registry.ts';
import { dockerName, makeWorkshop, type TestKey } from '../support/signing.ts';
import { makeImage, makeIndex } from '../support/test-image.ts';

const workshop = makeWorkshop();
const image = makeImage();
const other = makeImage([Buffer.from('other')], 'arm64');
const index = makeIndex({ amd64: image, arm64: other });
const signed = image.manifest.digest;
let registry: HostileRegistry;
let key: TestKey;
/** What the registry holds once all is signed: each test begins with it. */
let held: ReadonlyMap<string, ManifestBlob>;
let bundlePolicyFile: string;

before(async () => {
  registry = await startHostileRegistry();
  key = await workshop.makeKey('key', '');
  registry.hold('v1', image);
  registry.hold('arm', other);
  registry.manifests.set('multi', index).set(index.digest, index);
  const name = dockerName(`${registry.host}/acme/app:v1`);
  await signImage({ image: name, forms: ['attachment', 'bundle'] }, { key: key.key });
  held = new Map(registry.manifests);
  bundlePolicyFile = workshop.path('bundles.json');
  const requirement = { type: 'bundleSigned', use: 'require', keyPath: key.publicFile };
  writeFileSync(bundlePolicyFile, JSON.stringify({ default: [requirement] }));
});
beforeEach(() => {
  registry.manifests.clear();
  for (const [name, manifest] of held) registry.manifests.set(name, manifest);
});
after(async () => {
  await registry.stop();
  workshop.remove();
});

type Kind = 'attachment' | 'bundle' | 'dir';

/** The digest accepted, or undefined. */
async function accepted(tag: string, kind: Kind, name?: ImageName): Promise<Digest | undefined> {
  const signedIdentity = { type: 'matchRepository' };
  const attached = { type: 'sigstoreSigned', keyPath: key.publicFile, signedIdentity };
  const scopes = { [registry.host]: kind === 'bundle' ? [{ type: 'insecureAcceptAnything' }] : [attached] };
  const policyFile = workshop.policy(scopes);
  if (kind === 'dir') {
    const remapped = { type: 'exactRepository', dockerRepository: 'quay.io/acme/app' };
    writeFileSync(policyFile, JSON.stringify({ default: [{ ...attached, signedIdentity: remapped }] }));
  }
  try {
    const { allowed, verified, pinnedDigest } = await verifyImage(
      {
        image: name ?? dockerName(`${registry.host}/acme/app:${tag}`),
        policyFile,
        registriesDirectory: workshop.registries(registry.host),
        platform: { os: 'linux', architecture: 'amd64' },
        ...(kind === 'bundle' && { bundlePolicyFile }),
      },
      { transport: { retry: { attempts: 1 } } },
    );
    assert.equal(allowed, verified);
    return allowed ? pinnedDigest : undefined;
  } catch (error) {
    assert(isBootsealError(error), String(error));
    return undefined;
  }
}

type Json = Record<string, unknown>;

/** Changes the document under a name, and gives it the digest that it then has. */
function edit(name: string, change: (document: Json) => Json): void {
  const old = registry.manifests.get(name)!;
  const bytes = Buffer.from(JSON.stringify(change(JSON.parse(Buffer.from(old.bytes).toString()) as Json)));
  const manifest = { bytes, digest: digestOf(bytes), mediaType: old.mediaType };
  registry.manifests.set(name, manifest).set(manifest.digest, manifest);
}

function serveAs(name: string, mediaType: string): void {
  for (const at of [name, registry.manifests.get(name)!.digest]) {
    registry.manifests.set(at, { ...registry.manifests.get(at)!, mediaType });
  }
}

const first = (list: unknown, change: Json): unknown =>
  (list as Json[]).map((item, at) => (at === 0 ? { ...item, ...change } : item));

/** Of the index, about the instance that is signed. */
const entry = (change: Json) => () =>
  edit('multi', (i) => ({ ...i, manifests: first(i['manifests'], change) }));

const attachment = (): string => attachmentTag(signed);
/** The list of referrers, where the registry has no API for them. */
const list = (): string => signed.replace(':', '-');
const NOTES = { 'org.opencontainers.image.ref.name': 'evil', 'dev.sigstore.cosign/x': 'y' };

const EDITS: readonly [string, Kind, string, 'same' | 'refused', () => void][] = [
  ['nothing', 'attachment', 'v1', 'same', () => undefined],
  ['nothing', 'bundle', 'v1', 'same', () => undefined],
  ['nothing', 'attachment', 'multi', 'same', () => undefined],
  // The type that the registry claims for the signed bytes.
  ['served as Docker', 'attachment', 'v1', 'refused', () => serveAs('v1', MEDIA_TYPES.dockerManifest)],
  ['served as index', 'attachment', 'v1', 'refused', () => serveAs('v1', MEDIA_TYPES.ociIndex)],
  ['served as list', 'bundle', 'v1', 'refused', () => serveAs('v1', MEDIA_TYPES.dockerList)],
  ['served as text', 'attachment', 'v1', 'same', () => serveAs('v1', 'text/plain')],
  [
    'a space behind',
    'attachment',
    'v1',
    'refused',
    () => {
      const bytes = Buffer.concat([image.manifest.bytes, Buffer.from(' ')]);
      registry.manifests.set('v1', { ...image.manifest, bytes, digest: digestOf(bytes) });
    },
  ],
  [
    'the type within',
    'attachment',
    'v1',
    'refused',
    () => edit('v1', (m) => ({ ...m, mediaType: MEDIA_TYPES.dockerManifest })),
  ],
  // The index, which nobody has signed here: the instance is read by its digest, whatever else is said of it.
  [
    'index: notes',
    'attachment',
    'multi',
    'same',
    () =>
      edit('multi', (i) => ({
        ...i,
        annotations: NOTES,
        manifests: first(i['manifests'], { annotations: NOTES }),
      })),
  ],
  ['index: size', 'attachment', 'multi', 'same', entry({ size: 1 })],
  [
    'index: type of the instance',
    'attachment',
    'multi',
    'same',
    entry({ mediaType: MEDIA_TYPES.dockerManifest }),
  ],
  [
    'index: another digest',
    'attachment',
    'multi',
    'refused',
    entry({
      digest: other.manifest.digest,
      size: other.manifest.bytes.length,
    }),
  ],
  [
    'index: another platform',
    'attachment',
    'multi',
    'refused',
    entry({ platform: { os: 'linux', architecture: 's390x' } }),
  ],
  [
    'index: bundle of the instance only',
    'bundle',
    'multi',
    'same',
    () => edit('multi', (i) => ({ ...i, annotations: NOTES })),
  ],
  // The attachment: the layer's bytes and one annotation are the signature, the rest is wrapping.
  [
    'attachment: notes',
    'attachment',
    'v1',
    'same',
    () =>
      edit(attachment(), (m) => ({
        ...m,
        annotations: NOTES,
        subject: { mediaType: MEDIA_TYPES.ociManifest, digest: other.manifest.digest, size: 1 },
      })),
  ],
  [
    'attachment: notes of the layer',
    'attachment',
    'v1',
    'same',
    () =>
      edit(attachment(), (m) => ({
        ...m,
        layers: (m['layers'] as Json[]).map((layer) => ({
          ...layer,
          annotations: { ...(layer['annotations'] as Json), ...NOTES },
        })),
      })),
  ],
  [
    'attachment: type of the layer',
    'attachment',
    'v1',
    'refused',
    () =>
      edit(attachment(), (m) => ({ ...m, layers: first(m['layers'], { mediaType: MEDIA_TYPES.ociLayer }) })),
  ],
  [
    'attachment: size of the layer',
    'attachment',
    'v1',
    'refused',
    () => edit(attachment(), (m) => ({ ...m, layers: first(m['layers'], { size: 1 }) })),
  ],
  [
    'attachment: under another image',
    'attachment',
    'arm',
    'refused',
    () => registry.manifests.set(attachmentTag(other.manifest.digest), held.get(attachment())!),
  ],
  // The bundle: the list of referrers and the artifact are the registry's own words.
  [
    'bundle: notes in the list',
    'bundle',
    'v1',
    'same',
    () => edit(list(), (i) => ({ ...i, manifests: first(i['manifests'], { annotations: NOTES }) })),
  ],
  [
    'bundle: type in the list',
    'bundle',
    'v1',
    'refused',
    () => edit(list(), (i) => ({ ...i, manifests: first(i['manifests'], { artifactType: 'text/plain' }) })),
  ],
  [
    'bundle: artifact about another',
    'bundle',
    'v1',
    'refused',
    () => rewrap((a) => ({ ...a, subject: { ...(a['subject'] as Json), digest: other.manifest.digest } })),
  ],
  [
    'bundle: notes of the artifact',
    'bundle',
    'v1',
    'same',
    () => rewrap((a) => ({ ...a, annotations: NOTES })),
  ],
  [
    'bundle: type of the artifact',
    'bundle',
    'v1',
    'refused',
    () => rewrap((a) => ({ ...a, artifactType: 'text/plain' })),
  ],
  [
    'bundle: artifact renamed to another image',
    'bundle',
    'arm',
    'refused',
    () => {
      const moved = held.get(list())!;
      registry.manifests.set(other.manifest.digest.replace(':', '-'), moved);
    },
  ],
];

/** Edits the artifact around the bundle, and lists it in place of the old one. */
function rewrap(change: (artifact: Json) => Json): void {
  edit(list(), (i) => {
    const [entry] = i['manifests'] as Json[];
    const at = entry['digest'] as string;
    edit(at, change);
    const { digest, bytes } = registry.manifests.get(at)!;
    return { ...i, manifests: [{ ...entry, digest, size: bytes.length }] };
  });
}

for (const [what, kind, tag, expected, run] of EDITS) {
  test(`sig-coverage: ${tag}, ${kind}, ${what}: ${expected}`, async () => {
    run();
    assert.equal(await accepted(tag, kind), expected === 'same' ? signed : undefined);
  });
}

test('sig-coverage: dir: the files beside the manifest', async () => {
  const path = workshop.path('dir');
  mkdirSync(path);
  const write = (name: string, bytes: string | Uint8Array): void => writeFileSync(`${path}/${name}`, bytes);
  const reference = dockerName('quay.io/acme/app:v1').reference;
  write('manifest.json', image.manifest.bytes);
  write('signature-1', encodeStoredSignature(signManifest(signed, reference, key.key)));
  const name = { transport: 'dir', path } as const;
  write('version', 'Directory Transport Version: 1.1\n');
  assert.equal(await accepted('', 'dir', name), signed);
  for (const version of ['', 'Directory Transport Version: 99.0\n', '\0'.repeat(10_000)]) {
    write('version', version);
    const digest = await accepted('', 'dir', name);
    assert(digest === undefined || digest === signed, version);
  }
  write('version', 'Directory Transport Version: 1.1\n');
  write('manifest.json', other.manifest.bytes);
  assert.equal(await accepted('', 'dir', name), undefined);
});

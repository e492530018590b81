/** Lists of referrers from a registry that means ill, and bundles that are listed where they do not belong. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { isBootsealError } from '../../../src/errors.ts';
import type { Descriptor } from '../../../src/formats/oci/descriptor.ts';
import { digestOf } from '../../../src/formats/oci/digest.ts';
import { MEDIA_TYPES } from '../../../src/formats/oci/media-types.ts';
import { buildBundleArtifact } from '../../../src/formats/sigstore-bundle/artifact.ts';
import { makeBundle } from '../../../src/sign/sign-bundle.ts';
import type { ImageSource } from '../../../src/stores/image.ts';
import { openDestination, openSource } from '../../../src/stores/open.ts';
import { judgeKeyBundle } from '../../../src/trust/bundles/key-bundle.ts';
import type { FoundBundle } from '../../../src/trust/bundles/found.ts';
import { readBundles } from '../../../src/verify/bundles-of.ts';
import {
  send,
  startHostileRegistry,
  type HostileRegistry,
  type Misbehaviour,
} from '../../support/hostile-registry.ts';
import { dockerName, makeWorkshop, type TestKey } from '../../support/signing.ts';
import { makeImage, manifestBlob } from '../../support/test-image.ts';

const workshop = makeWorkshop();
let key: TestKey;
before(async () => {
  key = await workshop.makeKey('key', '');
});
after(() => workshop.remove());

const image = makeImage();
const OTHER = makeImage().manifest;

type Answer = (event: Misbehaviour, page: number) => void;

/** A registry whose referrers API answers with `answer`; others of its kinds behave. */
async function withRegistry(
  answer: Answer | undefined,
  work: (source: ImageSource, registry: HostileRegistry) => Promise<void>,
): Promise<void> {
  let pages = 0;
  const registry = await startHostileRegistry({
    misbehave(event) {
      if (answer === undefined || !/\/referrers\//.test(event.request.url ?? '')) return false;
      answer(event, ++pages);
      return true;
    },
  });
  registry.hold('v1', image);
  const source = await openSource(dockerName(`${registry.host}/acme/app:v1`), { retry: { attempts: 1 } });
  try {
    await work(source, registry);
  } finally {
    await source.close();
    await registry.stop();
  }
}

function index(...manifests: readonly Descriptor[]): string {
  return JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests });
}

function anything(seed: string): Descriptor {
  return { mediaType: MEDIA_TYPES.ociManifest, digest: digestOf(Buffer.from(seed)), size: 100 };
}

const json = { 'content-type': MEDIA_TYPES.ociIndex };

async function codeOf(promise: Promise<unknown>): Promise<string | undefined> {
  try {
    await promise;
    return undefined;
  } catch (error) {
    if (!isBootsealError(error)) throw error;
    return error.code;
  }
}

const list = (source: ImageSource): Promise<readonly Descriptor[]> =>
  source.referrers!(image.manifest.digest);

test('all pages are read, an entry that is listed twice once', async () => {
  const answer: Answer = ({ response, request }, page) => {
    const next: Record<string, string> =
      page < 3 ? { link: `<${request.url?.replace(/\?.*/, '')}?page=${page}>; rel="next"` } : {};
    send(response, 200, { ...json, ...next }, index(anything(`${page}`), anything('everywhere')));
  };
  await withRegistry(answer, async (source) => {
    assert.equal((await list(source)).length, 4);
  });
});

test('pages that go on for ever end, with and without entries', async () => {
  const endless: Answer = ({ response, request }, page) => {
    const link = `<${request.url?.replace(/\?.*/, '')}?page=${page}>; rel="next"`;
    send(response, 200, { ...json, link }, index(anything('the same')));
  };
  await withRegistry(endless, async (source) => {
    assert.equal(await codeOf(list(source)), 'registry/too-many-referrers');
  });
  const empty: Answer = ({ response }) =>
    send(response, 200, { ...json, link: '</v2/x>; rel="next"' }, index());
  await withRegistry(empty, async (source, registry) => {
    assert.deepEqual(await list(source), []);
    assert.equal(registry.seen.filter(({ url }) => url.includes('referrers')).length, 1);
  });
});

test('a page on another host is not followed', async () => {
  const answer: Answer = ({ response }) => {
    send(response, 200, { ...json, link: '<http://127.0.0.1:9/v2/next>; rel="next"' }, index(anything('a')));
  };
  await withRegistry(answer, async (source) => assert.equal((await list(source)).length, 1));
});

test('10,000 referrers and a list without end are refused before anything is fetched', async () => {
  const many = index(...Array.from({ length: 10_000 }, (_, at) => anything(`${at}`)));
  await withRegistry(
    ({ response }) => send(response, 200, json, many),
    async (source, registry) => {
      const seen = registry.seen.length;
      assert.equal(await codeOf(readBundles(source, image.manifest.digest)), 'registry/too-many-referrers');
      assert.equal(registry.seen.length, seen + 1);
    },
  );
  await withRegistry(
    ({ response }) => send(response, 200, json, index() + ' '.repeat(4 * 1024 * 1024)),
    async (source) => assert.equal(await codeOf(list(source)), 'store/too-large'),
  );
});

test('what is no list is refused, and does not pass for "nothing refers to it"', async () => {
  for (const [content, code] of [
    ['[]', 'oci/bad-descriptor'],
    ['{"schemaVersion":2}', 'oci/bad-manifest'],
    ['not json', 'oci/bad-manifest'],
    [Buffer.from(image.manifest.bytes).toString(), 'registry/bad-reply'],
    [index({ ...anything('a'), digest: 'sha256:../../x' }), 'oci/bad-digest'],
  ] as const) {
    await withRegistry(
      ({ response }) => send(response, 200, json, content),
      async (source) => {
        const got = await codeOf(list(source));
        assert(got?.startsWith(code.slice(0, 4)), `${content.slice(0, 30)}: ${got ?? 'taken'}`);
      },
    );
  }
  for (const status of [401, 403, 500]) {
    await withRegistry(
      ({ response }) => send(response, status, {}, ''),
      async (source) => assert((await codeOf(list(source)))?.startsWith('registry/'), String(status)),
    );
  }
});

test('a second page that is missing is no registry without the API', async () => {
  const answer: Answer = ({ response }, page) => {
    if (page > 1) send(response, 404, {}, '');
    else
      send(
        response,
        200,
        { ...json, link: '</v2/acme/app/referrers/next>; rel="next"' },
        index(anything('a')),
      );
  };
  await withRegistry(answer, async (source) => {
    assert.equal(await codeOf(list(source)), 'registry/bad-reply');
  });
});

test('without the API the list under the tag counts; a web page is no API', async () => {
  for (const answer of [
    undefined,
    (({ response }) => send(response, 200, { 'content-type': 'text/html' }, '<html>')) satisfies Answer,
    (({ response }) => send(response, 405, {}, '')) satisfies Answer,
  ]) {
    await withRegistry(answer, async (source, registry) => {
      assert.deepEqual(await list(source), []);
      const tag = image.manifest.digest.replace(':', '-');
      registry.manifests.set(tag, manifestBlob(Buffer.from(index(anything('a'))), MEDIA_TYPES.ociIndex));
      assert.equal((await list(source)).length, 1);
      // An image under that tag is not a list.
      registry.manifests.set(tag, image.manifest);
      assert.equal(await codeOf(list(source)), 'registry/bad-reply');
    });
  }
});

/** Puts a bundle into the registry as it is, and returns how it would be listed. */
function store(registry: HostileRegistry, bundle: Uint8Array, subject = image.manifest): Descriptor {
  const size = subject.bytes.length;
  const built = buildBundleArtifact(
    bundle,
    { mediaType: subject.mediaType, size, digest: subject.digest },
    0,
  );
  registry.blobs.set(built.layer.digest, bundle);
  registry.manifests.set(built.digest, manifestBlob(built.manifest, MEDIA_TYPES.ociManifest));
  return built.descriptor;
}

function accepted(found: readonly FoundBundle[]): number {
  const question = { keys: [{ key: key.key.publicKey, source: '' }], image: image.manifest.digest };
  return found.filter((each) => 'bundle' in each && judgeKeyBundle(each.bundle, question).accepted).length;
}

test('sgs-subject: of listed bundles only those of this image count, and bad ones do no harm', async () => {
  let listed: readonly Descriptor[] = [];
  await withRegistry(
    ({ response }) => send(response, 200, json, index(...listed)),
    async (source, registry) => {
      const { digest } = image.manifest;
      const good = store(registry, makeBundle(digest, key.key));
      const stranger = await workshop.makeKey(`stranger-${registry.host.slice(-5)}`, '');
      const bad: readonly [string, Descriptor][] = [
        ['refers to another image', store(registry, makeBundle(OTHER.digest, key.key), OTHER)],
        ['signs another digest', store(registry, makeBundle(OTHER.digest, key.key))],
        ['signs this one, but refers to another', store(registry, makeBundle(digest, key.key), OTHER)],
        ['by a stranger', store(registry, makeBundle(digest, stranger.key))],
        ['no JSON', store(registry, Buffer.from('nonsense'))],
        ['listed, but not there', { ...anything('missing'), artifactType: good.artifactType! }],
        [
          'the image itself',
          { mediaType: MEDIA_TYPES.ociManifest, digest, size: image.manifest.bytes.length },
        ],
      ];
      for (const [what, descriptor] of bad) {
        listed = [descriptor];
        assert.equal(accepted(await readBundles(source, digest)), 0, what);
      }
      listed = [...bad.map(([, descriptor]) => descriptor), good];
      assert.equal(accepted(await readBundles(source, digest)), 1);
    },
  );
});

test('reg-pin-body: a bundle or an artifact that is not what its digest says', async () => {
  let listed: readonly Descriptor[] = [];
  await withRegistry(
    ({ response }) => send(response, 200, json, index(...listed)),
    async (source, registry) => {
      const { digest } = image.manifest;
      const descriptor = store(registry, makeBundle(digest, key.key));
      listed = [descriptor];
      const other = makeBundle(digest, key.key);
      for (const [name, bytes] of registry.blobs) {
        if (Buffer.from(bytes).includes('dsseEnvelope')) registry.blobs.set(name, other);
      }
      const found = await readBundles(source, digest);
      assert.deepEqual(
        found.map((each) => ('fault' in each ? each.fault.code : 'taken')),
        ['store/digest-mismatch'],
      );
      registry.manifests.set(descriptor.digest, OTHER);
      assert.equal(accepted(await readBundles(source, digest)), 0);
    },
  );
});

test('a registry that refuses artifacts is an error, and the list is left as it is', async () => {
  const registry = await startHostileRegistry({
    misbehave({ kind, response }) {
      if (kind !== 'put-manifest') return false;
      send(response, 400, {}, '');
      return true;
    },
  });
  registry.hold('v1', image);
  const destination = await openDestination(dockerName(`${registry.host}/acme/app:v1`));
  const built = buildBundleArtifact(
    makeBundle(image.manifest.digest, key.key),
    { ...image.manifest, size: image.manifest.bytes.length },
    0,
  );
  const manifest = manifestBlob(built.manifest, MEDIA_TYPES.ociManifest);
  const put = destination.putReferrer!(image.manifest.digest, manifest, built.descriptor);
  assert.equal(await codeOf(put), 'registry/unexpected-status');
  assert(!registry.manifests.has(image.manifest.digest.replace(':', '-')));
  await destination.abort();
  await registry.stop();
});

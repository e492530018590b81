/** The files of trust init, and the layer that carries them. */
import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { treeFromLayers } from '../../src/composefs/from-layers.ts';
import { lookup, walkTree, type Tree, type TreeNode } from '../../src/composefs/tree.ts';
import { inlineHashPool } from '../../src/formats/fsverity/inline-hash-pool.ts';
import { parseImageName } from '../../src/formats/reference/image-name.ts';
import { parseDockerReference } from '../../src/formats/reference/docker-reference.ts';
import { parsePolicy } from '../../src/formats/policy-json/reader.ts';
import { useSigstoreAttachments } from '../../src/formats/registries-d/lookup.ts';
import { makeLayer } from '../../src/seal/layer.ts';
import { writeImage } from '../../src/seal/write-image.ts';
import { generateSigstoreKey } from '../../src/sign/generate-sigstore-key.ts';
import { trustFiles, type TrustFile } from '../../src/sign/trust-files.ts';
import { addTrustLayer, writeTrustFiles } from '../../src/sign/trust-init.ts';
import { loadImage } from '../../src/stores/load-image.ts';
import { openDestination, openSource } from '../../src/stores/open.ts';
import { loadRegistriesConfig } from '../../src/stores/trust-files/registries-d.ts';
import { zstdDecoder } from '../../src/stores/zstd/decoder.ts';
import { findRequirements } from '../../src/trust/scope.ts';
import { vectorPath } from '../support/project.ts';
import { makeWorkshop, type TestKey } from '../support/signing.ts';

const workshop = makeWorkshop();
let key: TestKey;
let second: TestKey;
let files: readonly TrustFile[];
before(async () => {
  key = await workshop.makeKey('key', '');
  second = await workshop.makeKey('second', '');
  files = filesFor('quay.io/acme/os');
});
after(() => workshop.remove());

function filesFor(
  repository: string,
  more: { acceptOthers?: boolean; keys?: TestKey[] } = {},
): readonly TrustFile[] {
  const { acceptOthers = false, keys = [key] } = more;
  const publicKeys = keys.map(({ key: pair }) => pair.publicKey);
  return trustFiles({ repository, keys: publicKeys, match: 'digest-or-exact', acceptOthers });
}

function policyOf(list: readonly TrustFile[]): ReturnType<typeof parsePolicy> {
  const file = list.find(({ path }) => path.endsWith('policy.json'));
  return parsePolicy(file?.bytes ?? Buffer.alloc(0), { file: 'policy.json' });
}

const OTHERS = ['docker://quay.io/acme/renamed:1', 'docker://ghcr.io/acme/os:1'];

test('pol-rename: another name is rejected, the repository must be signed', () => {
  const policy = policyOf(files);
  const own = findRequirements(policy, parseImageName('docker://quay.io/acme/os:1'));
  assert.deepEqual(
    own.requirements.map(({ type }) => type),
    ['sigstoreSigned'],
  );
  for (const name of OTHERS) {
    assert.deepEqual(findRequirements(policy, parseImageName(name)).requirements, [{ type: 'reject' }]);
  }
});

test('with other images accepted, the default still rejects and the repository must still be signed', () => {
  const policy = policyOf(filesFor('quay.io/acme/os', { acceptOthers: true }));
  assert.deepEqual(policy.default, [{ type: 'reject' }]);
  const own = findRequirements(policy, parseImageName('docker://quay.io/acme/os:1'));
  assert.equal(own.requirements[0].type, 'sigstoreSigned');
  for (const name of OTHERS) {
    assert.equal(
      findRequirements(policy, parseImageName(name)).requirements[0].type,
      'insecureAcceptAnything',
    );
  }
  assert.equal(
    findRequirements(policy, { transport: 'oci', path: '/x' }, '/x').requirements[0].type,
    'insecureAcceptAnything',
  );
});

test('several keys become keyPaths, each its own file', () => {
  const list = filesFor('quay.io:8443/acme/os', { keys: [key, second] });
  assert.deepEqual(
    list.map(({ path }) => path),
    [
      'etc/containers/policy.json',
      'etc/containers/registries.d/quay.io-8443-acme-os.yaml',
      'etc/pki/containers/quay.io-8443-acme-os.pub',
      'etc/pki/containers/quay.io-8443-acme-os-2.pub',
    ],
  );
  const requirement = policyOf(list).transports.get('docker')?.get('quay.io:8443/acme/os')?.[0];
  assert(requirement?.type === 'sigstoreSigned' && requirement.trust.kind === 'keys');
  assert.equal(requirement.trust.keys.member, 'keyPaths');
});

test('written below a folder they are what verify reads; nothing is replaced unasked', async () => {
  const root = workshop.path('root');
  assert.equal((await writeTrustFiles(files, root)).length, 3);
  assert.equal((await writeTrustFiles(files, root)).length, 0);
  const directory = join(root, 'etc/containers/registries.d');
  const config = await loadRegistriesConfig({ directory });
  assert(useSigstoreAttachments(config, parseDockerReference('quay.io/acme/os:1')).value);
  assert(!useSigstoreAttachments(config, parseDockerReference('quay.io/acme/other:1')).value);

  const other = filesFor('quay.io/acme/os', { acceptOthers: true });
  await assert.rejects(writeTrustFiles(other, root), { code: 'trust-init/exists' });
  const policy = join(root, 'etc/containers/policy.json');
  assert.deepEqual(readFileSync(policy), Buffer.from(files[0].bytes));
  await writeTrustFiles(other, root, { force: true });
  assert.deepEqual(readFileSync(policy), Buffer.from(other[0].bytes));
});

async function treeOf(name: string): Promise<Tree> {
  const source = await openSource(parseImageName(name));
  try {
    const image = await loadImage(source, { os: 'linux', architecture: 'amd64' });
    const ports = { hashPool: inlineHashPool(['sha256']), zstd: zstdDecoder() };
    return await treeFromLayers(image.layers, { algorithms: ['sha256'], ports });
  } finally {
    await source.close();
  }
}

function nodesOf(tree: Tree): Map<string, unknown> {
  const nodes = new Map<string, unknown>();
  walkTree(tree, (path, node: TreeNode) => {
    nodes.set(path, node.kind === 'directory' ? { kind: node.kind, stat: node.stat } : node);
  });
  return nodes;
}

/** The image of the vectors with an /etc of its own kind on top. */
async function imageWithEtc(): Promise<string> {
  const from = parseImageName(`oci:${vectorPath('policy', 'images', 'app.oci')}:v1`);
  const to = `oci:${workshop.path('base')}:base`;
  const source = await openSource(from);
  try {
    const image = await loadImage(source, { os: 'linux', architecture: 'amd64' });
    const etc = {
      path: 'etc',
      type: 'directory' as const,
      mode: 0o711,
      uid: 7,
      gid: 8,
      mtime: { seconds: 1_600_000_001n, nanos: 123_456_789 },
      xattrs: new Map([['user.note', Buffer.from('kept')]]),
    };
    const motd = {
      ...etc,
      path: 'etc/motd',
      type: 'file' as const,
      mode: 0o644,
      xattrs: new Map<string, Uint8Array>(),
    };
    const layer = makeLayer([{ entry: etc }, { entry: motd, content: [Buffer.from('hello')] }], 'test');
    await writeImage(source, await openDestination(parseImageName(to)), { image }, [layer]);
  } finally {
    await source.close();
  }
  return to;
}

test('as a layer they change nothing else in the image, and the same request gives the same image', async () => {
  const base = await imageWithEtc();
  const from = parseImageName(base);
  const name = (tag: string): string => `oci:${workshop.path('trusted')}:${tag}`;
  const first = await addTrustLayer({ files, from, to: parseImageName(name('a')) });
  const again = await addTrustLayer({ files, from, to: parseImageName(name('b')) });
  assert.equal(first.manifest, again.manifest);

  const before = nodesOf(await treeOf(base));
  const tree = await treeOf(name('a'));
  const after = nodesOf(tree);
  for (const [path, node] of before) assert.deepEqual(after.get(path), node, path);
  const added = [...after.keys()].filter((path) => !before.has(path)).sort();
  const ours = files.map(({ path }) => path);
  const folders = ['etc/containers', 'etc/containers/registries.d', 'etc/pki', 'etc/pki/containers'];
  assert.deepEqual(added, [...ours, ...folders].sort());
  for (const { path } of files) assert.equal(lookup(tree, path)?.stat.mode, 0o644);

  await assert.rejects(
    addTrustLayer({ files, from: parseImageName(name('a')), to: parseImageName(name('c')) }),
    {
      code: 'trust-init/exists',
    },
  );
});

test('keys: private to the owner, never replaced, and both files or none', async () => {
  const mode = statSync(key.privateFile).mode & 0o777;
  assert.equal(mode, 0o600);
  await assert.rejects(
    generateSigstoreKey({ outputPrefix: workshop.path('key'), passphrase: Buffer.alloc(0) }),
    {
      code: 'key/exists',
    },
  );
  writeFileSync(workshop.path('half.pub'), 'in the way');
  await assert.rejects(
    generateSigstoreKey({ outputPrefix: workshop.path('half'), passphrase: Buffer.alloc(0) }),
    {
      code: 'key/exists',
    },
  );
  assert.throws(() => statSync(workshop.path('half.private')));
});

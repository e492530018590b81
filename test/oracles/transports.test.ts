/** Transports against real skopeo and podman: archives, podman's store, and where registries.conf sends a name. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { isBootsealError } from '../../src/errors.ts';
import { digestOf } from '../../src/formats/oci/digest.ts';
import { parseImageName } from '../../src/formats/reference/image-name.ts';
import { openSource } from '../../src/stores/open.ts';
import { copyImage } from '../../src/sign/copy.ts';
import { verifyImage } from '../../src/verify/verify.ts';
import { peer, peerOk } from '../support/peers.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { archive, entry, file } from '../support/layers.ts';
import { makeImage, putImage, readImage } from '../support/test-image.ts';

const tar = archive(
  entry('usr', 'directory'),
  file('usr/a', 'one'),
  entry('usr/link', 'symlink', { linkTarget: 'a' }),
  entry('usr/hard', 'hardlink', { linkTarget: 'usr/a' }),
  file(`usr/${'long'.repeat(40)}`, randomBytes(70_000)),
  file('usr/.wh.gone', ''),
);
const upper = archive(entry('usr', 'directory'), file('usr/b', 'two'));
const image = makeImage([tar, upper]);
const second = makeImage([upper]);
const compressed = makeImage([gzipSync(tar)], 'amd64', [digestOf(tar)]);
let folder = '';
let registry: TestRegistry;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bootseal-transports-oracle-'));
  registry = await startRegistry();
});
after(async () => {
  await registry.stop();
  await rm(folder, { recursive: true, force: true });
});

const path = (name: string): string => join(folder, name);
const oci = (name: string): string => `oci:${path(name)}:v1`;

function skopeo(...args: string[]): string {
  return peerOk('skopeo', ['--insecure-policy', ...args]).stdout;
}

function podman(...args: string[]): string {
  const store = [
    '--root',
    path('store'),
    '--runroot',
    path('run'),
    '--storage-driver',
    'vfs',
    '--events-backend',
    'none',
  ];
  return peerOk('podman', [...store, ...args], { env: { PODMAN_IGNORE_CGROUPSV1_WARNING: '1' } }).stdout;
}

const inStore = (name: string): string => `containers-storage:[vfs@${path('store')}]${name}`;
const inStoreForPeers = (name: string): string =>
  `containers-storage:[vfs@${path('store')}+${path('run')}]${name}`;

/** skopeo's and our copy of the same image: the same files with the same bytes. */
async function sameAsSkopeo(ours: string, theirs: string, label: string): Promise<void> {
  skopeo('copy', '--preserve-digests', theirs, `dir:${path(`${label}-theirs`)}`);
  await copyImage({ from: parseImageName(ours), to: parseImageName(`dir:${path(`${label}-ours`)}`) });
  const names = (await readdir(path(`${label}-theirs`))).sort();
  assert.deepEqual((await readdir(path(`${label}-ours`))).sort(), names);
  for (const name of names) {
    const [a, b] = ['ours', 'theirs'].map((who) => readFileSync(join(path(`${label}-${who}`), name)));
    assert.ok(a.equals(b), `${name} differs`);
  }
}

describe('docker-archive', () => {
  it('from skopeo', async () => {
    await putImage(oci('one'), image);
    skopeo('copy', oci('one'), `docker-archive:${path('one.tar')}:a.test/x:v1`);
    await sameAsSkopeo(
      `docker-archive:${path('one.tar')}`,
      `docker-archive:${path('one.tar')}`,
      'archive-one',
    );
    const named = `docker-archive:${path('one.tar')}:a.test/x:v1`;
    await sameAsSkopeo(named, named, 'archive-named');
  });

  it('from skopeo, of compressed layers, and compressed itself', async () => {
    await putImage(oci('two'), compressed);
    skopeo('copy', oci('two'), `docker-archive:${path('two.tar')}`);
    await writeFile(path('two.tar.gz'), gzipSync(readFileSync(path('two.tar'))));
    for (const name of ['two.tar', 'two.tar.gz']) {
      await sameAsSkopeo(`docker-archive:${path(name)}`, `docker-archive:${path(name)}`, `archive-${name}`);
    }
  });

  it('of several images from podman save, each by name and by place', async () => {
    await putImage(oci('three'), image);
    await putImage(oci('four'), second);
    for (const name of ['three', 'four']) skopeo('copy', oci(name), inStoreForPeers(`a.test/${name}:v1`));
    podman('save', '--multi-image-archive', '-o', path('many.tar'), 'a.test/three:v1', 'a.test/four:v1');
    for (const choice of ['a.test/three:v1', 'a.test/four:v1', '@0', '@1']) {
      const name = `docker-archive:${path('many.tar')}:${choice}`;
      await sameAsSkopeo(name, name, `archive-${choice.replaceAll(/\W/g, '-')}`);
    }
    for (const choice of ['', ':a.test/five:v1', ':@2']) {
      const name = `docker-archive:${path('many.tar')}${choice}`;
      const theirs = peer('skopeo', ['inspect', name]);
      const message =
        /fatal msg="(?:Error [^:]*: )?(.*)"\n$/.exec(theirs.stderr)?.[1]?.replaceAll('\\"', '"') ?? '';
      await assert.rejects(openSource(parseImageName(name)), (error: unknown) => {
        assert(isBootsealError(error));
        assert.ok(message.endsWith(error.message), `${message}\n${error.message}`);
        return true;
      });
    }
  });
});

describe('containers-storage', () => {
  it('an image that skopeo put there: manifest, configuration, layers put together again', async () => {
    await putImage(oci('five'), image);
    skopeo('copy', '--preserve-digests', oci('five'), inStoreForPeers('a.test/five:v1'));
    assert.equal(await readImage(inStore('a.test/five:v1')), image.manifest.digest);
    await sameAsSkopeo(inStore('a.test/five:v1'), inStoreForPeers('a.test/five:v1'), 'store-five');
  });

  it('an image that podman loaded, found by name, ID and digest, with the digest that podman tells', async () => {
    await putImage(oci('six'), compressed);
    skopeo('copy', oci('six'), `docker-archive:${path('six.tar')}:a.test/six:v1`);
    podman('load', '-q', '-i', path('six.tar'));
    const [digest, id] = podman('images', '--no-trunc', '--format', '{{.Digest}} {{.ID}}', 'a.test/six')
      .trim()
      .split(' ');
    const hex = id.replace('sha256:', '');
    for (const name of ['a.test/six:v1', hex, hex.slice(0, 12), `@${hex}`, `a.test/six@${digest}`]) {
      assert.equal(await readImage(inStore(name)), digest, name);
    }
  });

  it('an image that podman built, links and all', async () => {
    await mkdir(path('context/sub'), { recursive: true });
    await writeFile(path('context/Containerfile'), 'FROM scratch\nCOPY . /data\n');
    await writeFile(path('context/sub/file'), randomBytes(100_000));
    await symlink('/etc/passwd', path('context/sub/link'));
    podman('build', '-q', '--isolation', 'chroot', '-t', 'a.test/built:v1', path('context'));
    await sameAsSkopeo(inStore('a.test/built:v1'), inStoreForPeers('a.test/built:v1'), 'store-built');
  });

  it('a layer that came compressed is told to be gone, not made up', async () => {
    await putImage(`docker://${registry.host}/seven:v1`, compressed);
    podman('pull', '-q', '--tls-verify=false', `docker://${registry.host}/seven:v1`);
    const name = inStore(`${registry.host}/seven:v1`);
    const source = await openSource(parseImageName(name));
    assert.equal((await source.topManifest()).digest, compressed.manifest.digest);
    const words = 'Copying this image would require changing layer representation, which we cannot do: ';
    const theirs = peer('skopeo', [
      '--insecure-policy',
      'copy',
      '--preserve-digests',
      inStoreForPeers(`${registry.host}/seven:v1`),
      oci('seven-theirs'),
    ]);
    assert.ok(theirs.stderr.includes(words), theirs.stderr);
    await assert.rejects(copyImage({ from: parseImageName(name), to: parseImageName(oci('seven')) }), {
      code: 'containers-storage/only-decoded',
      message: `${words}"Instructed to preserve digests"`,
    });
  });

  it('verdicts: scopes of the store, and signatures that came with the image', async () => {
    const key = path('cosign');
    peerOk('skopeo', ['generate-sigstore-key', '--output-prefix', key, '--passphrase-file', '/dev/null']);
    await writeFile(path('empty'), '\n');
    await mkdir(path('registries.d'));
    await writeFile(path('registries.d/a.yaml'), 'default-docker:\n  use-sigstore-attachments: true\n');
    const remote = `docker://${registry.host}/signed:v1`;
    const trusting = ['--registries.d', path('registries.d')];
    skopeo(
      ...trusting,
      'copy',
      '--dest-tls-verify=false',
      '--sign-by-sigstore-private-key',
      `${key}.private`,
      '--sign-passphrase-file',
      path('empty'),
      oci('five'),
      remote,
    );
    skopeo(
      ...trusting,
      'copy',
      '--src-tls-verify=false',
      remote,
      inStoreForPeers(`${registry.host}/signed:v1`),
    );
    skopeo('copy', oci('four'), inStoreForPeers(`${registry.host}/unsigned:v1`));
    const signed = [{ type: 'sigstoreSigned', keyPath: `${key}.pub` }];
    const accept = [{ type: 'insecureAcceptAnything' }];
    const reject = [{ type: 'reject' }];
    const store = path('store');
    const scopes: readonly Record<string, unknown>[] = [
      {},
      { [`[vfs@${store}]`]: signed },
      { [`[${store}]`]: signed },
      { [`[vfs@${store}]${registry.host}`]: signed, [`[vfs@${store}]`]: reject },
      { [`[vfs@${store}]${registry.host}/signed`]: signed, '': accept },
      { [`[vfs@${store}]${registry.host}/unsigned:v1`]: accept },
      { [`[overlay@${store}]`]: accept },
      { '': signed },
    ];
    const verdicts = new Set<boolean>();
    for (const [at, scope] of scopes.entries()) {
      const policyFile = path(`policy-${at}.json`);
      await writeFile(
        policyFile,
        JSON.stringify({ default: reject, transports: { 'containers-storage': scope } }),
      );
      for (const repository of ['signed', 'unsigned']) {
        const name = `${registry.host}/${repository}:v1`;
        const theirs = peer('skopeo', [
          '--policy',
          policyFile,
          'copy',
          '--remove-signatures',
          inStoreForPeers(name),
          `dir:${path('verdict')}`,
        ]);
        const result = await verifyImage({ image: parseImageName(inStore(name)), policyFile });
        assert.equal(
          result.allowed,
          theirs.status === 0,
          `${repository} under ${JSON.stringify(scope)}: ${theirs.stderr}`,
        );
        if (!result.allowed)
          assert.ok(
            unquoted(theirs.stderr).includes(leaf(result.message)),
            `${theirs.stderr}\n${result.message}`,
          );
        verdicts.add(result.allowed);
      }
    }
    assert.equal(verdicts.size, 2);
  });
});

const unquoted = (text: string): string => text.replaceAll('\\"', '"');

/** The last part of a refusal: how the peer spells the image before it depends on where it runs. */
function leaf(message = ''): string {
  return message.includes('is rejected by policy') ? 'is rejected by policy' : message;
}

describe('registries.conf', () => {
  const [main, mirror] = [makeImage([randomBytes(100)]), makeImage([randomBytes(200)])];

  before(async () => {
    await putImage(`docker://${registry.host}/real/app:v1`, main);
    await putImage(`docker://${registry.host}/m/app:v1`, mirror);
    await putImage(`docker://${registry.host}/only/app:v1`, main);
  });

  interface Case {
    readonly conf: string;
    readonly name?: string;
    /** Where we refuse and skopeo does not. */
    readonly stricter?: boolean;
  }
  const place = (location: string): string => `location = "${registry.host}/${location}"\ninsecure = true\n`;
  const cases = (): Readonly<Record<string, Case>> => ({
    'a rewritten name': { conf: `[[registry]]\nprefix = "a.test/x"\n${place('real')}` },
    'a mirror before it': {
      conf: `[[registry]]\nprefix = "a.test/x"\n${place('real')}[[registry.mirror]]\n${place('m')}`,
    },
    'a mirror without the image': {
      conf: `[[registry]]\nprefix = "a.test/x"\n${place('only')}[[registry.mirror]]\n${place('nothing')}`,
    },
    'a mirror that is not there': {
      conf: `[[registry]]\nprefix = "a.test/x"\n${place('real')}[[registry.mirror]]\nlocation = "127.0.0.1:9"\ninsecure = true`,
    },
    'a primary that is not there': {
      conf: `[[registry]]\nprefix = "a.test/x"\nlocation = "127.0.0.1:9"\n[[registry.mirror]]\n${place('m')}`,
    },
    'mirrors by digest only, asked by tag': {
      conf: `[[registry]]\nprefix = "a.test/x"\n${place('real')}mirror-by-digest-only = true\n[[registry.mirror]]\n${place('m')}`,
    },
    'mirrors by digest only, asked by digest': {
      conf: `[[registry]]\nprefix = "a.test/x"\n${place('real')}mirror-by-digest-only = true\n[[registry.mirror]]\n${place('m')}`,
      name: `a.test/x/app@${mirror.manifest.digest}`,
    },
    'a digest that the mirror does not have': {
      conf: `[[registry]]\nprefix = "a.test/x"\n${place('real')}[[registry.mirror]]\n${place('m')}`,
      name: `a.test/x/app@${main.manifest.digest}`,
    },
    'a mirror for digests, asked by tag': {
      conf: `[[registry]]\nprefix = "a.test/x"\n${place('real')}[[registry.mirror]]\npull-from-mirror = "digest-only"\n${place('m')}`,
    },
    'a mirror for tags, asked by tag': {
      conf: `[[registry]]\nprefix = "a.test/x"\n${place('real')}[[registry.mirror]]\npull-from-mirror = "tag-only"\n${place('m')}`,
    },
    'the longer prefix': {
      conf: `[[registry]]\nprefix = "a.test"\n${place('m')}[[registry]]\nprefix = "a.test/x"\n${place('real')}`,
    },
    'the shorter prefix, an unlike name': {
      conf: `[[registry]]\nprefix = "a.test"\n${place('m')}[[registry]]\nprefix = "a.test/x"\n${place('real')}`,
      name: 'a.test/app:v1',
    },
    'a wildcard': { conf: `[[registry]]\nprefix = "*.test"\n${place('m')}`, name: 'b.a.test/app:v1' },
    'a host with a port under a prefix without': {
      conf: `[[registry]]\nprefix = "a.test"\nlocation = "127.0.0.1"\ninsecure = true`,
      name: `a.test:${registry.host.split(':')[1]}/m/app:v1`,
    },
    'a prefix that ends within a word': {
      conf: `[[registry]]\nprefix = "127.0.0.1:9/x"\n${place('m')}`,
      name: '127.0.0.1:9/xx/app:v1',
    },
    blocked: { conf: '[[registry]]\nlocation = "a.test"\nblocked = true' },
    'blocked beside a location': {
      conf: `[[registry]]\nprefix = "a.test/x"\n${place('real')}blocked = true`,
      stricter: true,
    },
    'a blocked mirror': {
      conf: `[[registry]]\nprefix = "a.test/x"\n${place('real')}[[registry.mirror]]\n${place('m')}[[registry]]\nlocation = "${registry.host}/m"\nblocked = true`,
    },
    'insecure said both ways': {
      conf: `[[registry]]\nprefix = "a.test"\n${place('m')}[[registry]]\nprefix = "b.test"\nlocation = "${registry.host}/m"`,
    },
    // 1.22 still converts it; newer releases refuse it in the words that we have.
    'version 1': {
      conf: `[registries.insecure]\nregistries = ["${registry.host}"]`,
      name: `${registry.host}/real/app:v1`,
      stricter: true,
    },
    'no location': { conf: '[[registry]]\nprefix = "a.test"' },
    'a URL': { conf: '[[registry]]\nlocation = "http://a.test"' },
    'a mirror without location': {
      conf: '[[registry]]\nlocation = "a.test"\n[[registry.mirror]]\ninsecure = true',
    },
    'pull-from-mirror of another value': {
      conf: '[[registry]]\nlocation = "a.test"\n[[registry.mirror]]\nlocation = "b.test"\npull-from-mirror = "x"',
    },
    'a location that is no name': { conf: '[[registry]]\nprefix = "a.test"\nlocation = "library"' },
    'no TOML': { conf: '[[registry]\n' },
    'a number for a text': { conf: '[[registry]]\nlocation = 5' },
    'an unknown key, and keys in capitals': {
      conf: `[[registry]]\nPREFIX = "a.test/x"\ncolour = "red"\n${place('m')}`,
    },
  });

  it('sends each name where skopeo goes, or refuses it as skopeo does', async () => {
    let exact = 0;
    for (const [what, { conf, name = 'a.test/x/app:v1', stricter = false }] of Object.entries(cases())) {
      const confFile = path('r.conf');
      await writeFile(confFile, conf);
      const theirs = peer('skopeo', [
        '--registries-conf',
        confFile,
        'inspect',
        '--raw',
        '--retry-times',
        '0',
        `docker://${name}`,
      ]);
      const wanted = theirs.status === 0 ? digestOf(theirs.bytes) : undefined;
      const ours = await openSource(parseImageName(`docker://${name}`), {
        registriesConfFile: confFile,
        retry: { attempts: 1 },
      }).then(
        async (source) => (await source.topManifest()).digest,
        (error: unknown) => {
          assert(isBootsealError(error), what);
          return error;
        },
      );
      if (stricter) {
        assert.ok(wanted !== undefined && isBootsealError(ours), what);
        continue;
      }
      exact += 1;
      if (typeof ours === 'string') assert.equal(ours, wanted, `${what}: ${theirs.stderr}`);
      else {
        assert.equal(wanted, undefined, `${what}: ${ours.message}`);
        // What registries.conf itself says wrongly is said in the same words.
        const said = unquoted(theirs.stderr);
        if (ours.code === 'registries-conf/malformed' && !ours.message.includes('toml: ')) {
          assert.ok(said.includes(ours.message), `${what}: ${said}\n${ours.message}`);
        }
        if (ours.code === 'registries-conf/blocked')
          assert.match(said, /registry a\.test is blocked in /, what);
      }
    }
    assert.ok(exact >= 25);
  });
});

/** Policies between us and `podman image trust`: it shows what trust init writes, and we read what it sets. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parsePublicKey } from '../../src/formats/cosign/public-key.ts';
import { parseImageName } from '../../src/formats/reference/image-name.ts';
import { trustFiles, writeTrustFiles } from '../../src/sign/trust-init.ts';
import { lintPolicyFile } from '../../src/verify/lint-policy.ts';
import { matchPolicy, type MatchResult } from '../../src/verify/match-policy.ts';
import { signedBy, sigstore, startPodmanKit, type PodmanKit } from '../support/podman-kit.ts';
import { vectorPath } from '../support/project.ts';

let kit: PodmanKit;
before(async () => {
  kit = await startPodmanKit();
});
after(() => kit.stop());

interface Shown {
  readonly transport: string;
  readonly name?: string;
  readonly type: string;
  readonly gpg_id?: string;
  readonly sigstore?: string;
}

function show(policy: string, directory: string): readonly Shown[] {
  const files = ['--policypath', policy, '--registrypath', directory];
  return JSON.parse(kit.podman.ok('image', 'trust', 'show', '--json', ...files).stdout) as Shown[];
}

function set(policy: string, scope: string, type: string, ...keyFiles: readonly string[]): void {
  const files = keyFiles.flatMap((file) => ['--pubkeysfile', file]);
  kit.podman.ok('image', 'trust', 'set', '--policypath', policy, '--type', type, ...files, scope);
}

function match(image: string, policyFile: string, registriesDirectory: string): Promise<MatchResult> {
  return matchPolicy({ image: parseImageName(image), policyFile, registriesDirectory });
}

/** podman's word for each type of requirement. */
const WORDS: Readonly<Record<string, string>> = {
  insecureAcceptAnything: 'accept',
  reject: 'reject',
  signedBy: 'signed',
  sigstoreSigned: 'sigstoreSigned',
};

describe('podman image trust show', () => {
  async function init(name: string, acceptOthers: boolean): Promise<string> {
    const keys = [parsePublicKey(readFileSync(kit.key.publicFile))];
    const repository = `${kit.host}/acme/os`;
    const files = trustFiles({ repository, keys, match: 'digest-or-exact', acceptOthers });
    await writeTrustFiles(files, kit.workshop.path(name));
    return kit.workshop.path(`${name}/etc/containers`);
  }

  test('the policy of trust init, as it is', async () => {
    const folder = await init('shown', false);
    const files = [
      '--policypath',
      join(folder, 'policy.json'),
      '--registrypath',
      join(folder, 'registries.d'),
    ];
    const { bytes } = kit.podman.ok('image', 'trust', 'show', '--raw', ...files);
    assert.equal(bytes.toString().trimEnd(), readFileSync(join(folder, 'policy.json'), 'utf8').trimEnd());
    assert.deepEqual(show(join(folder, 'policy.json'), join(folder, 'registries.d')), [
      { transport: 'all', name: '* (default)', repo_name: 'default', type: 'reject' },
      {
        transport: 'repository',
        name: `${kit.host}/acme/os`,
        repo_name: `${kit.host}/acme/os`,
        type: 'sigstoreSigned',
        // Names in an OpenPGP key; a sigstore key has none.
        gpg_id: 'N/A',
      },
    ]);
  });

  test('the same with --accept-others: each transport as policy match finds it', async () => {
    const folder = await init('shown-others', true);
    const [policy, directory] = [join(folder, 'policy.json'), join(folder, 'registries.d')];
    const shown = show(policy, directory);
    // A store of podman's is one when it has an image.
    kit.put('shown/any:v1');
    assert.equal(await kit.agree('shown/any:v1', kit.wanting({ type: 'insecureAcceptAnything' })), true);
    const images: Readonly<Record<string, string>> = {
      'containers-storage': kit.podman.inStore('a.test/x:v1'),
      dir: 'dir:/x',
      'docker-archive': 'docker-archive:/x',
      oci: 'oci:/x:v1',
      'oci-archive': 'oci-archive:/x',
      repository: 'docker://a.test/x:v1',
    };
    for (const [transport, image] of Object.entries(images)) {
      const { requirements } = await match(image, policy, directory);
      const found = shown.filter((each) => each.transport === transport && each.name === undefined);
      assert.deepEqual(
        found.map(({ type }) => type),
        requirements.map(({ type }) => WORDS[type]),
        transport,
      );
    }
    assert.equal(shown.length, 10);
  });

  test('names in keys, and look-aside stores where policy match finds them', async () => {
    const directory = kit.workshop.path('registries-shown');
    mkdirSync(directory);
    writeFileSync(
      join(directory, 'a.yaml'),
      'default-docker:\n  lookaside: https://default.test/x\n' +
        'docker:\n  b.test/org:\n    lookaside: https://org.test/sigs\n    lookaside-staging: file:///stage\n' +
        '  b.test/org/app:v1:\n    sigstore: https://tag.test/\n',
    );
    const scopes: Readonly<Record<string, readonly object[]>> = {
      'a.test': [signedBy(kit.theirs.exportKeys(kit.theirKey)), sigstore(kit.key.publicFile)],
      'b.test/org': [
        {
          type: 'signedBy',
          keyType: 'GPGKeys',
          keyPaths: [kit.theirs.exportKeys(kit.theirKey), kit.key.publicFile],
        },
      ],
      'b.test/org/app': [
        signedBy(kit.theirs.exportKeys(kit.theirKey), {
          type: 'exactRepository',
          dockerRepository: 'a.test/x',
        }),
      ],
      'b.test/org/app:v1': [{ type: 'reject' }],
    };
    const policy = kit.workshop.policy(scopes);
    const shown = show(policy, directory);
    const rows: Shown[] = [];
    for (const scope of Object.keys(scopes)) {
      const image = scope.endsWith(':v1') ? scope : `${scope}/deeper:v9`;
      const { requirements, registries } = await match(`docker://${image}`, policy, directory);
      const store = registries.find(({ setting }) => setting === 'lookaside')!.value;
      for (const { type } of requirements) {
        const from = shown.filter((row) => row.name === scope && row.type === WORDS[type]);
        assert.equal(from.length, 1, scope);
        assert.equal(from[0].sigstore?.replace(/\/$/, ''), store.replace(/\/$/, ''), scope);
        rows.push(from[0]);
      }
    }
    assert.deepEqual(
      rows.map(({ gpg_id }) => gpg_id),
      ['theirs@example.com', 'N/A', 'theirs@example.com', 'theirs@example.com', undefined],
    );
    assert.equal(rows.length + 1, shown.length);
  });
});

describe('podman image trust set', () => {
  /** No mistakes in it, and for the image the requirements that podman was told to write. */
  async function reads(policy: string, image: string, ...types: readonly string[]): Promise<void> {
    const { counts, refusal, findings } = await lintPolicyFile({ file: policy });
    assert.equal(refusal, undefined);
    assert.equal(counts.error, 0, JSON.stringify(findings));
    const { requirements } = await match(
      `docker://${kit.nameOf(image)}`,
      policy,
      kit.podman.registriesDirectory,
    );
    assert.deepEqual(
      requirements.map(({ type }) => type),
      types,
    );
  }

  test('accept, reject, signedBy: read by us, and the verdict that podman pull gives', async () => {
    kit.put('set/signed:v1');
    await kit.signAside('set/signed:v1');
    kit.put('set/unsigned:v1', 'other');
    const images = ['set/signed:v1', 'set/unsigned:v1'];
    const policy = kit.workshop.path('set.json');
    const ourKeys = kit.ours.exportKeys(kit.ourKey);
    const steps = [
      { scope: 'default', type: 'accept', want: [true, true], types: ['insecureAcceptAnything'] },
      { scope: 'default', type: 'reject', want: [false, false], types: ['reject'] },
      { scope: kit.host, type: 'accept', want: [true, true], types: ['insecureAcceptAnything'] },
      { scope: kit.host, type: 'reject', want: [false, false], types: ['reject'] },
      {
        scope: `${kit.host}/set`,
        type: 'signedBy',
        keys: [ourKeys],
        want: [true, false],
        types: ['signedBy'],
      },
      {
        scope: `${kit.host}/set`,
        type: 'signedBy',
        keys: [kit.theirs.exportKeys(kit.theirKey)],
        want: [false, false],
        types: ['signedBy'],
      },
    ];
    for (const { scope, type, keys = [], want, types } of steps) {
      set(policy, scope, type, ...keys);
      await reads(policy, images[0], ...types);
      for (const [at, image] of images.entries())
        assert.equal(await kit.agree(image, policy), want[at], `${scope} ${type} ${image}`);
    }
    set(policy, `${kit.nameOf('set/unsigned')}:v1`, 'accept');
    assert.equal(await kit.agree('set/unsigned:v1', policy), true);
    await reads(policy, 'set/unsigned:v2', 'signedBy');
  });

  test('two key files: podman writes two requirements, so both must have signed', async () => {
    kit.put('set/two:v1');
    const policy = kit.workshop.path('two.json');
    set(policy, 'default', 'reject');
    set(
      policy,
      kit.nameOf('set/two'),
      'signedBy',
      kit.ours.exportKeys(kit.ourKey),
      kit.theirs.exportKeys(kit.theirKey),
    );
    await reads(policy, 'set/two:v1', 'signedBy', 'signedBy');
    await kit.signAside('set/two:v1');
    assert.equal(await kit.agree('set/two:v1', policy), false);
    kit.podman.ok('image', 'sign', '--sign-by', kit.theirKey, `docker://${kit.nameOf('set/two:v1')}`);
    assert.equal(await kit.agree('set/two:v1', policy), true);
  });

  test('keeps what trust init wrote when it adds a scope', async () => {
    kit.put('set/kept:v1');
    await kit.attach('set/kept:v1');
    const keys = [parsePublicKey(readFileSync(kit.key.publicFile))];
    const repository = kit.nameOf('set/kept');
    const files = trustFiles({ repository, keys, match: 'digest-or-exact', acceptOthers: false });
    const policy = kit.workshop.path('kept.json');
    const root = kit.workshop.path('kept');
    await writeTrustFiles(files, root);
    // The policy names the key where it will be on the machine.
    const text = readFileSync(join(root, 'etc/containers/policy.json'), 'utf8');
    writeFileSync(policy, text.replaceAll('/etc/pki', join(root, 'etc/pki')));
    set(policy, kit.nameOf('set/other'), 'accept');
    await reads(policy, 'set/kept:v1', 'sigstoreSigned');
    kit.put('set/other:v1', 'other');
    assert.equal(await kit.agree('set/kept:v1', policy), true);
    assert.equal(await kit.agree('set/other:v1', policy), true);
    kit.put('set/kept:v2');
    assert.equal(await kit.agree('set/kept:v2', policy), false);
  });

  test('keeps the members that it shows nothing of: logs, certificates, identities', async () => {
    kit.put('set/logged:v1');
    await kit.attach('set/logged:v1');
    const rekorPublicKeyPath = vectorPath('policy', 'keys', 'rekor.pub');
    const roots = vectorPath('policy', 'keys', 'fulcio-root.pem');
    const identity = { type: 'exactRepository', dockerRepository: 'a.test/x' };
    const fulcio = { caPath: roots, oidcIssuer: 'https://issuer.test', subjectEmail: 'a@b.test' };
    const pki = { caRootsPath: roots, subjectEmail: 'a@b.test' };
    const lines = [
      [{ ...sigstore(kit.key.publicFile), rekorPublicKeyPath }],
      [{ type: 'sigstoreSigned', fulcio, rekorPublicKeyPath }],
      [{ type: 'sigstoreSigned', pki }],
      [sigstore(kit.key.publicFile, identity)],
    ];
    for (const requirements of lines) {
      const policy = kit.wanting(...requirements);
      const before = JSON.stringify(requirements);
      assert.equal(await kit.agree('set/logged:v1', policy), false, before);
      set(policy, 'a.test', 'reject');
      await reads(policy, 'set/logged:v1', 'sigstoreSigned');
      const { transports } = JSON.parse(readFileSync(policy, 'utf8')) as {
        transports: { docker: Record<string, unknown> };
      };
      assert.deepEqual(transports.docker[kit.host], JSON.parse(before));
      assert.equal(await kit.agree('set/logged:v1', policy), false, before);
    }
  });

  test('show and set take files that pull refuses; lint refuses them as pull does', async () => {
    kit.put('set/strict:v1');
    const good = '"default":[{"type":"insecureAcceptAnything"}]';
    for (const text of [`{${good},${good}}`, `{${good},"transport":{}}`, `{${good}}\n{}`]) {
      const policy = kit.workshop.path('strict.json');
      writeFileSync(policy, text);
      const shown = kit.podman.run('image', 'trust', 'show', '--policypath', policy);
      assert.equal(shown.status === 0, !text.endsWith('{}'), shown.stderr);
      assert.equal(await kit.agree('set/strict:v1', policy), false, text);
      assert.notEqual((await lintPolicyFile({ file: policy })).refusal, undefined);
      if (text.endsWith('{}')) continue;
      set(policy, 'a.test', 'reject');
      await reads(policy, 'set/strict:v1', 'insecureAcceptAnything');
      assert.equal(await kit.agree('set/strict:v1', policy), true, text);
    }
  });
});

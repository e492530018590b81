/** Real podman pulls and builds from what we sign, refuses what we refuse, and we accept what it signs. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { verifyStandalone } from '../../src/verify/standalone.ts';
import { signedBy, sigstore, startPodmanKit, type PodmanKit } from '../support/podman-kit.ts';
import { vectorPath } from '../support/project.ts';
import { dockerName } from '../support/signing.ts';

let kit: PodmanKit;
before(async () => {
  kit = await startPodmanKit();
});
after(() => kit.stop());

describe('podman pull', () => {
  test('attachments by us; unsigned, another key, another identity', async () => {
    kit.put('pull/app:v1');
    assert.equal(await kit.agree('pull/app:v1', kit.wanting(sigstore(kit.key.publicFile))), false);
    await kit.attach('pull/app:v1');
    assert.equal(await kit.agree('pull/app:v1', kit.wanting(sigstore(kit.key.publicFile))), true);
    assert.equal(await kit.agree('pull/app:v1', kit.wanting(sigstore(kit.stranger.publicFile))), false);
    const exact = { type: 'exactReference', dockerReference: 'quay.io/acme/os:10' };
    assert.equal(await kit.agree('pull/app:v1', kit.wanting(sigstore(kit.key.publicFile, exact))), false);
    await kit.attach('pull/app:v1', { identity: dockerName('quay.io/acme/os:10').reference });
    assert.equal(await kit.agree('pull/app:v1', kit.wanting(sigstore(kit.key.publicFile, exact))), true);
    const both = { type: 'sigstoreSigned', keyPaths: [kit.stranger.publicFile, kit.key.publicFile] };
    assert.equal(await kit.agree('pull/app:v1', kit.wanting(both)), true);
  });

  test('attachments: another tag of the image, and by digest', async () => {
    kit.put('pull/tags:v1');
    await kit.attach('pull/tags:v1');
    kit.put('pull/tags:v2');
    const digest = (JSON.parse(readFileSync(vectorPath('policy', 'digests.json'), 'utf8')) as { app: string })
      .app;
    const verdicts: boolean[] = [];
    for (const type of ['matchRepoDigestOrExact', 'matchExact', 'matchRepository']) {
      const policy = kit.wanting(sigstore(kit.key.publicFile, { type }));
      for (const image of ['pull/tags:v1', 'pull/tags:v2', `pull/tags@${digest}`])
        verdicts.push(await kit.agree(image, policy));
    }
    assert.deepEqual(verdicts, [true, false, true, true, false, false, true, true, true]);
  });

  test('look-aside signatures by us; unsigned, another key, another identity', async () => {
    kit.put('pull/aside:v1');
    const keys = kit.ours.exportKeys(kit.ourKey);
    assert.equal(await kit.agree('pull/aside:v1', kit.wanting(signedBy(keys))), false);
    await kit.signAside('pull/aside:v1');
    assert.equal(await kit.agree('pull/aside:v1', kit.wanting(signedBy(keys))), true);
    assert.equal(
      await kit.agree('pull/aside:v1', kit.wanting(signedBy(kit.theirs.exportKeys(kit.theirKey)))),
      false,
    );
    const remapped = {
      type: 'remapIdentity',
      prefix: kit.nameOf('pull/aside'),
      signedPrefix: 'quay.io/acme/os',
    };
    assert.equal(await kit.agree('pull/aside:v1', kit.wanting(signedBy(keys, remapped))), false);
    await kit.signAside('pull/aside:v1', { identity: dockerName('quay.io/acme/os:v1').reference });
    assert.equal(await kit.agree('pull/aside:v1', kit.wanting(signedBy(keys, remapped))), true);
    kit.put('pull/aside:v2');
    assert.equal(await kit.agree('pull/aside:v2', kit.wanting(signedBy(keys))), false);
    const inOrder = [signedBy(keys), sigstore(kit.key.publicFile)];
    assert.equal(await kit.agree('pull/aside:v1', kit.wanting(...inOrder)), false);
    await kit.attach('pull/aside:v1');
    assert.equal(await kit.agree('pull/aside:v1', kit.wanting(...inOrder)), true);
  });

  test('an index signed alone is refused, with its instances accepted', async () => {
    for (const [image, form, requirement] of [
      ['pull/multi:v1', 'attach', sigstore(kit.key.publicFile)],
      ['pull/multi-aside:v1', 'signAside', signedBy(kit.ours.exportKeys(kit.ourKey))],
    ] as const) {
      kit.put(image, 'multi');
      const policy = kit.wanting(requirement);
      await kit[form](image);
      assert.equal(await kit.agree(image, policy), false);
      assert.equal((await kit.verdictOf(image, policy, { as: 'bootc' })).allowed, true);
      await kit[form](image, { all: true });
      for (const architecture of ['amd64', 'arm64'])
        assert.equal(await kit.agree(image, policy, { architecture }), true);
    }
  });

  test('the policy of the home, when no other is named', async () => {
    kit.put('pull/home:v1');
    kit.put('pull/home:v2', 'other');
    await kit.attach('pull/home:v1');
    const file = join(kit.podman.home, '.config/containers/policy.json');
    writeFileSync(file, readFileSync(kit.wanting(sigstore(kit.key.publicFile))));
    assert.equal(await kit.agree('pull/home:v1'), true);
    assert.equal(await kit.agree('pull/home:v2'), false);
    writeFileSync(file, '{"default":[]}');
    assert.equal(await kit.agree('pull/home:v1'), false);
    rmSync(file);
  });

  test('oci and dir, by scopes that are paths', async () => {
    const [oci, dir] = [`oci:${kit.workshop.path('store/oci')}:v1`, `dir:${kit.workshop.path('store/dir')}`];
    mkdirSync(kit.workshop.path('store'), { recursive: true });
    for (const image of [oci, dir]) kit.put(image);
    const verdicts: boolean[] = [];
    for (const scope of [kit.workshop.folder, kit.workshop.path('sto'), kit.workshop.path('store/dir')]) {
      const policy = kit.workshop.path('paths.json');
      const accepted = { [scope]: [{ type: 'insecureAcceptAnything' }] };
      const transports = { oci: accepted, dir: accepted };
      writeFileSync(policy, JSON.stringify({ default: [{ type: 'reject' }], transports }));
      for (const image of [oci, dir]) verdicts.push(await kit.agree(image, policy));
    }
    assert.deepEqual(verdicts, [true, true, false, false, false, true]);
  });
});

describe('podman image sign', () => {
  const sign = (image: string, ...options: readonly string[]): void =>
    void kit.podman.ok(
      'image',
      'sign',
      '--sign-by',
      kit.theirKey,
      '--directory',
      kit.lookaside,
      ...options,
      `docker://${kit.nameOf(image)}`,
    );

  test('is accepted by us; ours joins it', async () => {
    kit.put('sign/app:v1');
    sign('sign/app:v1');
    const [keys, ourKeys] = [kit.theirs.exportKeys(kit.theirKey), kit.ours.exportKeys(kit.ourKey)];
    assert.equal(await kit.agree('sign/app:v1', kit.wanting(signedBy(keys))), true);
    assert.equal(await kit.agree('sign/app:v1', kit.wanting(signedBy(ourKeys))), false);
    const manifestFile = vectorPath('policy', 'images', 'app', 'manifest.json');
    const { app } = JSON.parse(readFileSync(vectorPath('policy', 'digests.json'), 'utf8')) as { app: string };
    const verdict = await verifyStandalone({
      manifestFile,
      reference: kit.nameOf('sign/app:v1'),
      fingerprints: kit.theirKey,
      signatureFile: join(kit.lookaside, `sign/app@${app.replace(':', '=')}`, 'signature-1'),
      publicKeyFile: keys,
    });
    assert.ok(verdict.accepted);
    await kit.signAside('sign/app:v1');
    for (const file of [keys, ourKeys])
      assert.equal(await kit.agree('sign/app:v1', kit.wanting(signedBy(file))), true);
    kit.put('sign/app:v2');
    assert.equal(await kit.agree('sign/app:v2', kit.wanting(signedBy(keys))), false);
    sign('sign/app:v2');
    assert.equal(await kit.agree('sign/app:v2', kit.wanting(signedBy(keys))), true);
  });

  test('signs an index, or with --all its instances and not the index', async () => {
    kit.put('sign/index:v1', 'multi');
    kit.put('sign/all:v1', 'multi');
    sign('sign/index:v1');
    sign('sign/all:v1', '--all');
    const policy = kit.wanting(signedBy(kit.theirs.exportKeys(kit.theirKey)));
    const answers: boolean[] = [];
    for (const image of ['sign/index:v1', 'sign/all:v1']) {
      for (const architecture of ['amd64', 'arm64'])
        answers.push(await kit.agree(image, policy, { architecture }));
      answers.push((await kit.verdictOf(image, policy, { as: 'bootc' })).allowed);
    }
    assert.deepEqual(answers, [false, false, true, true, true, false]);
  });
});

describe('podman push', () => {
  const push = (source: string, target: string, ...options: readonly string[]): void => {
    const list = options[0] === '--all' ? ['manifest'] : [];
    const all = ['--quiet', '--tls-verify=false', '--remove-signatures', ...options];
    kit.podman.ok(...list, 'push', ...all, source, `docker://${kit.nameOf(target)}`);
  };
  let loaded = '';
  before(() => {
    kit.put('push/base:v1');
    loaded = kit.nameOf('push/base:v1');
    const accept = kit.wanting({ type: 'insecureAcceptAnything' });
    kit.podman.ok('pull', '-q', '--tls-verify=false', '--signature-policy', accept, loaded);
  });
  const bySigstore = (): readonly string[] => [
    '--sign-by-sigstore-private-key',
    kit.key.privateFile,
    '--sign-passphrase-file',
    kit.key.passphraseFile,
  ];

  test('signs with our key in an attachment, and we accept it; ours joins it', async () => {
    const policy = join(kit.podman.home, '.config/containers/policy.json');
    writeFileSync(policy, '{"default":[{"type":"reject"}]}');
    // A policy that rejects everything does not speak of what is pushed.
    push(loaded, 'push/app:v1', ...bySigstore());
    rmSync(policy);
    assert.equal(await kit.agree('push/app:v1', kit.wanting(sigstore(kit.key.publicFile))), true);
    assert.equal(await kit.agree('push/app:v1', kit.wanting(sigstore(kit.stranger.publicFile))), false);
    const exact = { type: 'exactReference', dockerReference: kit.nameOf('push/app:v2') };
    assert.equal(await kit.agree('push/app:v1', kit.wanting(sigstore(kit.key.publicFile, exact))), false);
    await kit.attach('push/app:v1', {}, kit.stranger);
    for (const { publicFile } of [kit.key, kit.stranger])
      assert.equal(await kit.agree('push/app:v1', kit.wanting(sigstore(publicFile))), true);
  });

  test('signs by a parameter file, and by gpg beside it', async () => {
    const parameters = kit.workshop.path('parameters.yaml');
    writeFileSync(
      parameters,
      `privateKeyFile: ${kit.stranger.privateFile}\nprivateKeyPassphraseFile: ${kit.stranger.passphraseFile}\n`,
    );
    push(loaded, 'push/both:v1', '--sign-by-sigstore', parameters, '--sign-by', kit.theirKey);
    const [attached, aside] = [
      sigstore(kit.stranger.publicFile),
      signedBy(kit.theirs.exportKeys(kit.theirKey)),
    ];
    assert.equal(await kit.agree('push/both:v1', kit.wanting(attached, aside)), true);
    assert.equal(
      await kit.agree('push/both:v1', kit.wanting(attached, signedBy(kit.ours.exportKeys(kit.ourKey)))),
      false,
    );
  });

  test('a manifest list and its instances, which every tool then accepts', async () => {
    kit.podman.ok('manifest', 'create', 'a.test/list', loaded);
    const parameters = kit.workshop.path('list.yaml');
    writeFileSync(
      parameters,
      `privateKeyFile: ${kit.key.privateFile}\nprivateKeyPassphraseFile: ${kit.key.passphraseFile}\n`,
    );
    push('a.test/list', 'push/list:v1', '--all', '--sign-by-sigstore', parameters, '--sign-by', kit.theirKey);
    const policy = kit.wanting(sigstore(kit.key.publicFile), signedBy(kit.theirs.exportKeys(kit.theirKey)));
    assert.equal(await kit.agree('push/list:v1', policy), true);
    for (const as of ['podman', 'bootc'] as const)
      assert.equal((await kit.verdictOf('push/list:v1', policy, { as })).allowed, true, as);
    assert.equal(await kit.agree('push/list:v1', kit.wanting(sigstore(kit.stranger.publicFile))), false);
  });
});

describe('podman build, create and save', () => {
  test('takes a base image that we signed, and not one that nobody did', async () => {
    kit.put('build/base:v1');
    kit.put('build/base:v2', 'other');
    await kit.attach('build/base:v1');
    const policy = kit.wanting(sigstore(kit.key.publicFile));
    const context = kit.workshop.path('context');
    mkdirSync(context);
    for (const [image, allowed] of [
      ['build/base:v1', true],
      ['build/base:v2', false],
    ] as const) {
      writeFileSync(join(context, 'Containerfile'), `FROM ${kit.nameOf(image)}\nLABEL a=b\n`);
      const options = ['--quiet', '--pull=always', '--tls-verify=false', '--isolation', 'chroot'];
      const built = kit.podman.run(
        'build',
        ...options,
        '--arch',
        'amd64',
        '--signature-policy',
        policy,
        context,
      );
      assert.equal(built.status === 0, allowed, built.stderr);
      const verdict = await kit.verdictOf(image, policy);
      assert.equal(verdict.allowed, allowed);
      if (!allowed) assert.ok(built.stderr.includes(verdict.message!), built.stderr);
    }
  });

  test('create: a container of a signed image only', async () => {
    kit.put('create/app:v1');
    kit.put('create/app:v2', 'other');
    await kit.attach('create/app:v1');
    const policy = join(kit.podman.home, '.config/containers/policy.json');
    writeFileSync(policy, readFileSync(kit.wanting(sigstore(kit.key.publicFile))));
    const options = ['--quiet', '--pull=always', '--tls-verify=false', '--arch', 'amd64'];
    const made: boolean[] = [];
    for (const image of ['create/app:v1', 'create/app:v2']) {
      const created = kit.podman.run('create', ...options, kit.nameOf(image), '/x');
      const { allowed, message = '' } = await kit.verdictOf(image);
      assert.equal(created.status === 0, allowed, created.stderr);
      if (!allowed) assert.ok(created.stderr.includes(message), created.stderr);
      made.push(allowed);
    }
    rmSync(policy);
    assert.deepEqual(made, [true, false]);
  });

  test('save: from its store, where the policy speaks of the store or of the image ID', async () => {
    kit.put('save/app:v1');
    const image = kit.nameOf('save/app:v1');
    const accept = [{ type: 'insecureAcceptAnything' }];
    const options = ['--quiet', '--tls-verify=false', '--arch', 'amd64'];
    const id = kit.podman
      .ok('pull', ...options, '--signature-policy', kit.wanting(...accept), image)
      .stdout.trim();
    const store = kit.podman.inStore('').replace(/^[^:]*:/, '');
    const policy = join(kit.podman.home, '.config/containers/policy.json');
    const saved: boolean[] = [];
    for (const scope of ['', store, `${store}@${id}`, `${store}${image}`, store.replace('vfs@', '')]) {
      const transports = { 'containers-storage': { [scope]: accept } };
      writeFileSync(policy, JSON.stringify({ default: [{ type: 'reject' }], transports }));
      const file = kit.workshop.path(`saved-${saved.length}.tar`);
      const { status, stderr } = kit.podman.run('save', '--quiet', '--output', file, image);
      // podman asks for what it has found: the ID.
      const { allowed } = await kit.verdictOf(kit.podman.inStore(`@${id}`));
      assert.equal(status, allowed ? 0 : 125, `${scope}: ${stderr}`);
      saved.push(allowed);
    }
    rmSync(policy);
    assert.deepEqual(saved, [true, true, true, false, true]);
  });
});

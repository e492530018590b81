/**
 * v3 bundles in both directions with the real cosign, in a registry without the referrers API (docker-registry, where
 * the list lies under a tag) and in one with it.
 */
import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { decryptPrivateKey, type SigstorePrivateKey } from '../../src/formats/cosign/private-key.ts';
import { publicKeyFromSpki } from '../../src/formats/cosign/public-key.ts';
import { signImage, type SignatureForm } from '../../src/sign/sign.ts';
import { replaceKey } from '../../src/sign/replace-key.ts';
import { verifyAsCosign, type CosignVerdict } from '../../src/verify/as-cosign.ts';
import { peer, peerOk, type PeerResult } from '../support/peers.ts';
import { vectorPath } from '../support/project.ts';
import { startReferrersRegistry } from '../support/referrers-registry.ts';
import { startRegistry } from '../support/registry.ts';
import { dockerName, makeWorkshop, type TestKey } from '../support/signing.ts';

const workshop = makeWorkshop();
let ours: TestKey;
let stranger: TestKey;
/** A key pair that cosign made. */
const theirs = workshop.path('cosign');
before(async () => {
  ours = await workshop.makeKey('ours', '');
  stranger = await workshop.makeKey('stranger', '');
  peerOk('cosign', ['generate-key-pair', '--output-key-prefix', theirs], { env: { COSIGN_PASSWORD: '' } });
});
after(() => workshop.remove());

const REGISTRIES = [
  { what: 'list under a tag (docker-registry)', start: startRegistry },
  { what: 'referrers API', start: startReferrersRegistry },
];

for (const { what, start } of REGISTRIES) {
  describe(what, () => {
    let registry: Awaited<ReturnType<typeof start>>;
    before(async () => {
      registry = await start();
    });
    after(() => registry.stop());

    function push(image: string, from = 'app', ...options: readonly string[]): void {
      const source = `dir:${vectorPath('policy', 'images', from)}`;
      const target = `docker://${registry.host}/${image}`;
      peerOk('skopeo', ['--insecure-policy', 'copy', '--dest-tls-verify=false', ...options, source, target]);
    }

    async function sign(
      image: string,
      key: SigstorePrivateKey,
      forms: readonly SignatureForm[],
      all = false,
    ) {
      return signImage({ image: dockerName(`${registry.host}/${image}`), forms, all }, { key });
    }

    function cosignSign(image: string, ...options: readonly string[]): void {
      const quiet = [
        '--yes',
        '--tlog-upload=false',
        '--use-signing-config=false',
        '--allow-insecure-registry',
      ];
      const key = ['--key', `${theirs}.key`];
      peerOk('cosign', ['sign', ...quiet, ...key, ...options, `${registry.host}/${image}`], {
        env: { COSIGN_PASSWORD: '' },
      });
    }

    function cosign(image: string, publicFile: string, ...options: readonly string[]): PeerResult {
      const lenient = ['--insecure-ignore-tlog', '--allow-insecure-registry'];
      return peer('cosign', [
        'verify',
        '--key',
        publicFile,
        ...lenient,
        ...options,
        `${registry.host}/${image}`,
      ]);
    }

    function ask(image: string, publicFile: string): Promise<CosignVerdict> {
      const key = { key: publicKeyFromSpki(spkiOf(publicFile)), source: publicFile };
      return verifyAsCosign({ image: dockerName(`${registry.host}/${image}`), key });
    }

    /** cosign's word, and that ours is the same. */
    async function agree(image: string, publicFile: string): Promise<boolean> {
      const theirWord = cosign(image, publicFile);
      const ourWord = await ask(image, publicFile);
      assert.equal(
        ourWord.allowed,
        theirWord.status === 0,
        `${ourWord.message ?? 'accepted'}\n${theirWord.stderr}`,
      );
      return ourWord.allowed;
    }

    test('cosign accepts our bundle, by the right key only', async () => {
      push('acme/app:v1');
      const signed = await sign('acme/app:v1', ours.key, ['bundle']);
      assert.equal(signed.manifests[0].forms[0].state, 'signed');
      assert(await agree('acme/app:v1', ours.publicFile));
      assert(!(await agree('acme/app:v1', stranger.publicFile)));
      const [claim] = JSON.parse(cosign('acme/app:v1', ours.publicFile).stdout) as {
        critical: { image: object };
      }[];
      assert.deepEqual(claim.critical.image, { 'docker-manifest-digest': signed.pinnedDigest });
    });

    test('signing again adds nothing; another key joins', async () => {
      push('acme/twice:v1', 'other');
      await sign('acme/twice:v1', ours.key, ['bundle']);
      const again = await sign('acme/twice:v1', ours.key, ['bundle']);
      assert.equal(again.manifests[0].state, 'already-signed');
      await sign('acme/twice:v1', stranger.key, ['bundle']);
      assert(await agree('acme/twice:v1', ours.publicFile));
      assert(await agree('acme/twice:v1', stranger.publicFile));
    });

    test('we accept the bundle of cosign, and ours joins it', async () => {
      push('acme/theirs:v1');
      cosignSign('acme/theirs:v1');
      assert(await agree('acme/theirs:v1', `${theirs}.pub`));
      assert(!(await agree('acme/theirs:v1', ours.publicFile)));
      await sign('acme/theirs:v1', ours.key, ['bundle']);
      assert(await agree('acme/theirs:v1', `${theirs}.pub`));
      assert(await agree('acme/theirs:v1', ours.publicFile));
      // And the other way round.
      push('acme/joined:v1', 'other');
      await sign('acme/joined:v1', ours.key, ['bundle']);
      cosignSign('acme/joined:v1');
      assert(await agree('acme/joined:v1', `${theirs}.pub`));
      assert(await agree('acme/joined:v1', ours.publicFile));
    });

    test('the key of cosign signs our bundle', async () => {
      push('acme/crossed:v1');
      const key = decryptPrivateKey(readFileSync(`${theirs}.key`), new Uint8Array());
      const first = await sign('acme/crossed:v1', key, ['attachment', 'bundle']);
      assert.deepEqual(
        first.acceptedBy.map(({ accepts }) => accepts),
        [true, true, true, true],
      );
      assert(await agree('acme/crossed:v1', `${theirs}.pub`));
      // The bundle of cosign is known as a signature by that key.
      push('acme/crossed:v2', 'other');
      cosignSign('acme/crossed:v2');
      assert.equal((await sign('acme/crossed:v2', key, ['bundle'])).manifests[0].state, 'already-signed');
    });

    test('old format of cosign: the attachment counts while there is no bundle', async () => {
      push('acme/old:v1');
      cosignSign('acme/old:v1', '--new-bundle-format=false');
      assert(await agree('acme/old:v1', `${theirs}.pub`));
      assert(!(await agree('acme/old:v1', ours.publicFile)));
      const signed = await sign('acme/old:v1', ours.key, ['attachment']);
      assert(signed.acceptedBy.every(({ accepts }) => accepts));
      assert(await agree('acme/old:v1', ours.publicFile));
    });

    test('an attachment beside a bundle by somebody else: cosign 3 refuses, and signing says so', async () => {
      push('acme/foreign:v1');
      await sign('acme/foreign:v1', stranger.key, ['bundle']);
      const signed = await sign('acme/foreign:v1', ours.key, ['attachment']);
      const refusing = signed.acceptedBy.filter(({ accepts }) => !accepts);
      assert.deepEqual(
        refusing.map(({ tool }) => tool),
        ['cosign 3'],
      );
      assert(!(await agree('acme/foreign:v1', ours.publicFile)));
      const old = cosign('acme/foreign:v1', ours.publicFile, '--new-bundle-format=false');
      assert.equal(old.status, 0, old.stderr);
    });

    test('cosign takes an attestation for a signature, and so does our word for it', async () => {
      push('acme/attested:v1');
      const predicate = workshop.path('predicate.json');
      writeFileSync(predicate, '{"a":1}');
      const quiet = [
        '--yes',
        '--tlog-upload=false',
        '--use-signing-config=false',
        '--allow-insecure-registry',
      ];
      const what = ['--predicate', predicate, '--type', 'custom', `${registry.host}/acme/attested:v1`];
      peerOk('cosign', ['attest', ...quiet, '--key', `${theirs}.key`, ...what], {
        env: { COSIGN_PASSWORD: '' },
      });
      assert(await agree('acme/attested:v1', `${theirs}.pub`));
      assert(!(await agree('acme/attested:v1', ours.publicFile)));
      // Where we decide it is none: signing finds nothing of the kind there.
      const key = decryptPrivateKey(readFileSync(`${theirs}.key`), new Uint8Array());
      assert.equal((await sign('acme/attested:v1', key, ['bundle'])).manifests[0].state, 'signed');
    });

    test('every instance and the index', async () => {
      push('acme/multi:v1', 'multi', '--all');
      const signed = await sign('acme/multi:v1', ours.key, ['attachment', 'bundle'], true);
      assert.equal(signed.manifests.length, 3);
      for (const { digest } of signed.manifests) {
        assert.equal(cosign(`acme/multi@${digest}`, ours.publicFile).status, 0, digest);
      }
      assert(await agree('acme/multi:v1', ours.publicFile));
      push('acme/recursive:v1', 'multi', '--all');
      cosignSign('acme/recursive:v1', '--recursive');
      for (const { digest } of signed.manifests) {
        assert((await ask(`acme/recursive@${digest}`, `${theirs}.pub`)).allowed, digest);
      }
    });

    for (const name of ['p256', 'p384', 'p521', 'rsa2048', 'ed25519']) {
      test(`${name}: cosign accepts what we signed, in both forms, without any option`, async () => {
        const key = createPrivateKey(readFileSync(vectorPath('policy', 'keys', 'private', `${name}.pem`)));
        const publicKey = publicKeyFromSpki(createPublicKey(key).export({ type: 'spki', format: 'der' }));
        const publicFile = vectorPath('policy', 'keys', `${name}.pub`);
        push(`acme/${name}:bundle`);
        await sign(`acme/${name}:bundle`, { key, publicKey }, ['bundle']);
        assert(await agree(`acme/${name}:bundle`, publicFile));
        push(`acme/${name}-attached:v1`, 'other');
        await sign(`acme/${name}-attached:v1`, { key, publicKey }, ['attachment']);
        assert(await agree(`acme/${name}-attached:v1`, publicFile));
      });
    }

    test('a key is replaced: cosign and skopeo accept the new one only', async () => {
      push('acme/rotated:v1', 'multi', '--all');
      await sign('acme/rotated:v1', ours.key, ['attachment', 'bundle'], true);
      const result = await replaceKey(
        {
          images: [dockerName(`${registry.host}/acme/rotated:v1`)],
          oldKey: ours.key.publicKey,
        },
        { newKey: stranger.key },
      );
      assert(result.ok, result.images[0].error?.message);
      assert.deepEqual([result.images[0].added, result.images[0].removed], [6, 6]);
      assert(await agree('acme/rotated:v1', stranger.publicFile));
      assert(!(await agree('acme/rotated:v1', ours.publicFile)));
      for (const [key, status] of [
        [stranger, 0],
        [ours, 1],
      ] as const) {
        const policy = workshop.policy({
          [registry.host]: [{ type: 'sigstoreSigned', keyPath: key.publicFile }],
        });
        const global = ['--policy', policy, '--registries.d', workshop.registries(registry.host)];
        const source = `docker://${registry.host}/acme/rotated:v1`;
        const target = `dir:${workshop.path(`pulled-${registry.host.replace(/\W/g, '-')}-${status}`)}`;
        const pulled = peer('skopeo', [...global, 'copy', '--all', '--src-tls-verify=false', source, target]);
        assert.equal(pulled.status, status, pulled.stderr);
      }
    });
  });
}

function spkiOf(publicFile: string): Uint8Array {
  return createPublicKey(readFileSync(publicFile)).export({ type: 'spki', format: 'der' });
}

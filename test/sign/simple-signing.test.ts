/** Signing with the user's gpg: what reaches it, what it may do wrong, and where the signature goes. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { isBootsealError } from '../../src/errors.ts';
import { digestOf } from '../../src/formats/oci/digest.ts';
import { parseSignedMessage } from '../../src/formats/openpgp/index.ts';
import { parseSimplePayload } from '../../src/formats/simple-signing/payload.ts';
import { openGpgKey, signSimple } from '../../src/sign/gpg-signer.ts';
import { copyImage } from '../../src/sign/copy.ts';
import { copyGpgSigner } from '../../src/sign/copy-signer.ts';
import { parseImageName } from '../../src/formats/reference/image-name.ts';
import { signMessage } from '../../src/stores/keys/gpg.ts';
import { loadRegistriesConfig } from '../../src/stores/trust-files/registries-d.ts';
import { makeGpgHome, type GpgHome } from '../support/gpg.ts';
import { vectorPath } from '../support/project.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { dockerName } from '../support/signing.ts';

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'bootseal-gpg-')));
const digest = digestOf(Buffer.from('a manifest'));
let home: GpgHome;
let env: NodeJS.ProcessEnv;
let open: string;
let locked: string;
let registry: TestRegistry;
before(async () => {
  home = makeGpgHome('user');
  env = { ...process.env, ...home.env };
  open = home.makeKey('open');
  locked = home.makeKey('locked', { passphrase: 'correct horse' });
  registry = await startRegistry();
});
after(async () => {
  await registry.stop();
  home.remove();
  rmSync(folder, { recursive: true, force: true });
});

function passphraseFile(text: string): string {
  const file = join(folder, `pass-${text.length}`);
  writeFileSync(file, text, { mode: 0o600 });
  return file;
}

function failed(code: string, words = /./): (error: unknown) => boolean {
  return (error) => {
    assert(isBootsealError(error), String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, words);
    assert(!JSON.stringify([error.message, error.hint, error.where]).includes('horse'));
    return true;
  };
}

describe('gpg', () => {
  test('signs the payload, and nothing else', async () => {
    const key = await openGpgKey({ key: open }, { env });
    assert.equal(key.fingerprint, open);
    const options = { creator: 'bootseal test', timestamp: 1_700_000_000 };
    const bytes = await signSimple(digest, 'quay.io/acme/os:10', key, options);
    const { content, signature } = parseSignedMessage(bytes);
    assert.deepEqual(parseSimplePayload(content), {
      manifestDigest: digest,
      dockerReference: 'quay.io/acme/os:10',
      ...options,
    });
    assert(signature.issuers.includes(open));
    // What readers tell the kind of a file by.
    assert.equal(bytes[0], 0xa3);
  });

  test('the settings of its user do not make another message of it', async () => {
    const settings = join(home.env.GNUPGHOME, 'gpg.conf');
    writeFileSync(settings, 'armor\ncompress-algo bzip2\npersonal-compress-preferences bzip2\n');
    try {
      const key = await openGpgKey({ key: open }, { env });
      const { content } = parseSignedMessage(await signSimple(digest, 'a', key));
      assert.equal(parseSimplePayload(content).dockerReference, 'a');
    } finally {
      rmSync(settings);
    }
  });

  test('a passphrase: its first line, by a pipe; a wrong one is said to be wrong', async () => {
    const right = await openGpgKey(
      { key: locked, passphraseFile: passphraseFile('correct horse\nmore') },
      { env },
    );
    assert((await signSimple(digest, 'a', right)).length > 0);
    const wrong = await openGpgKey({ key: locked, passphraseFile: passphraseFile('wrong horse') }, { env });
    // The agent would remember the right one.
    home.forget();
    await assert.rejects(signSimple(digest, 'a', wrong), failed('gpg/wrong-passphrase'));
    const content = Buffer.from('x');
    const passphrase = Buffer.from('two\nhorses');
    await assert.rejects(
      signMessage(content, locked, { env, passphrase }),
      failed('gpg/bad-passphrase', /newline/),
    );
  });

  test('neither passphrase nor payload is an argument', async () => {
    const shim = join(folder, 'bin');
    mkdirSync(shim);
    writeFileSync(
      join(shim, 'gpg'),
      `#!/bin/sh\nfor a; do echo "$a" >>"${folder}/args"; done\nexec /usr/bin/gpg "$@"\n`,
    );
    chmodSync(join(shim, 'gpg'), 0o755);
    const watched = { ...env, PATH: `${shim}:${env['PATH'] ?? ''}` };
    const request = { key: locked, passphraseFile: passphraseFile('correct horse') };
    await signSimple(digest, 'quay.io/acme/os:10', await openGpgKey(request, { env: watched }));
    const args = readFileSync(join(folder, 'args'), 'utf8');
    assert(args.includes('--passphrase-fd'));
    assert(!args.includes('horse') && !args.includes('acme'));
  });

  test('keys that are not there, or not one', async () => {
    home.makeKey('twin-a');
    home.makeKey('twin-b');
    await assert.rejects(openGpgKey({ key: 'nobody@example.com' }, { env }), failed('gpg/no-such-key'));
    await assert.rejects(openGpgKey({ key: 'twin' }, { env }), failed('gpg/ambiguous-key'));
    for (const key of ['', '--output=/tmp/x', 'a\nb', 'x'.repeat(300)]) {
      await assert.rejects(openGpgKey({ key }, { env }), failed('gpg/bad-key-name'));
    }
    const other = makeGpgHome('user');
    try {
      other.run(['--import'], readFileSync(home.exportKeys(open)));
      const publicOnly = await openGpgKey({ key: open }, { env: { ...process.env, ...other.env } });
      await assert.rejects(signSimple(digest, 'a', publicOnly), failed('gpg/no-secret-key'));
    } finally {
      other.remove();
    }
  });

  test('no gpg at all', async () => {
    const nothing = { ...env, PATH: join(folder, 'nowhere') };
    await assert.rejects(openGpgKey({ key: open }, { env: nothing }), failed('gpg/missing'));
  });
});

describe('copy --sign-by', () => {
  async function copyTo(lookaside: string, name: string): Promise<unknown> {
    const directory = join(folder, `${name}.d`);
    mkdirSync(directory);
    writeFileSync(join(directory, 'a.yaml'), `default-docker:\n  lookaside: ${lookaside}\n`);
    const from = parseImageName(`dir:${vectorPath('policy', 'images', 'app')}`);
    const to = dockerName(`${registry.host}/acme/${name}:v1`);
    const signers = [await copyGpgSigner(to, { key: open }, undefined, { env })];
    return copyImage({ from, to }, { signers, registries: await loadRegistriesConfig({ directory }) });
  }

  test('reg-sig-late: a store that cannot be written is found out before any blob', async () => {
    writeFileSync(join(folder, 'a-file'), '');
    await assert.rejects(copyTo(`file://${folder}/a-file/x`, 'late'), failed('file/cannot-write'));
    await assert.rejects(
      copyTo('https://sigs.example.com', 'web'),
      failed('lookaside/not-writable', /lookaside-staging/),
    );
    const listed = await fetch(`${registry.url}/v2/_catalog`).then((reply) => reply.json());
    assert.deepEqual(listed, { repositories: [] });
  });

  test('the signature is in the store before the tag means the image', async () => {
    await copyTo(`file://${folder}/sigs`, 'good');
    const manifest = digestOf(readFileSync(vectorPath('policy', 'images', 'app', 'manifest.json')));
    const file = join(folder, 'sigs', `acme/good@${manifest.replace(':', '=')}`, 'signature-1');
    const { content } = parseSignedMessage(readFileSync(file));
    assert.equal(parseSimplePayload(content).dockerReference, `${registry.host}/acme/good:v1`);
  });

  test('without a name to sign nothing is done', async () => {
    const to = parseImageName(`dir:${folder}/nameless`);
    await assert.rejects(copyGpgSigner(to, { key: open }, undefined, { env }), failed('sign/no-name'));
    await assert.rejects(
      copyGpgSigner(to, { key: open }, 'quay.io/a/b', { env }),
      failed('sign/bare-identity'),
    );
  });
});

/** The thread of one image: keys, trust, digest, seal, push, verify, upgrade, tampering, the whole chain, report. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as compiled from './compiled.mjs';
import { Failure, isInstalled, root, run } from '../run.mjs';
import { bootseal, heading, note, proves } from './terminal.mjs';

/** Relative: the demo runs from the checkout, and shows paths as somebody there would type them. */
const OUTPUT = 'demo-output';
const REPOSITORY = 'acme/os';

/** Everything a step needs to know of the steps before. */
/**
 * @typedef {object} Ground
 * @property {string} keys folder, kept between runs
 * @property {string} trust folder that `trust init` writes
 * @property {string} sample oci: name
 * @property {string} trusted oci: name: the sample with the files of `trust init`
 * @property {string} sealed oci: name
 * @property {import('../../../test/support/registry.ts').TestRegistry} [registry]
 */

/** @param {{ missing: readonly string[] }} machine */
export async function thread({ missing }) {
  process.chdir(root);
  const keys = join(OUTPUT, 'keys');
  const earlier = earlierDigest();
  clean();
  mkdirSync(keys, { recursive: true, mode: 0o700 });
  mkdirSync(join(OUTPUT, 'pushed'));
  /** @type {Ground} */
  const ground = {
    keys,
    trust: join(OUTPUT, 'trust'),
    sample: `oci:${join(OUTPUT, 'sample')}:latest`,
    trusted: `oci:${join(OUTPUT, 'trusted')}:latest`,
    sealed: `oci:${join(OUTPUT, 'sealed')}:latest`,
  };
  const real = isInstalled('dpkg-deb') && isInstalled('apt-get') && isInstalled('depmod');
  heading(0, 'The image');
  makeSample(ground, real);
  if (!missing.includes('docker-registry')) ground.registry = await compiled.registry.startRegistry();
  try {
    await makeKeys(ground);
    await setTrust(ground);
    await takeDigest(ground);
    await seal(ground, earlier);
    await push(ground);
    await verify(ground);
    await upgrade(ground);
    await tamper(ground);
    await verifySealed(ground);
    await report(ground);
  } finally {
    await ground.registry?.stop();
  }
  results();
}

/** The keys of an earlier run stay: who signs does not change because somebody looks again. */
function clean() {
  for (const name of [
    'sample',
    'trusted',
    'other',
    'sealed',
    'sealed-in-steps',
    'sealed-other',
    'trust',
    'uki',
    'tampered',
    'host',
    'pushed',
  ]) {
    rmSync(join(OUTPUT, name), { recursive: true, force: true });
  }
}

/** @returns {string | undefined} digest of the sealed image that the last run made */
function earlierDigest() {
  const index = join(OUTPUT, 'sealed', 'index.json');
  return existsSync(index) ? JSON.parse(readFileSync(index, 'utf8')).manifests[0].digest : undefined;
}

/**
 * @param {Ground} ground
 * @param {boolean} real
 */
function makeSample(ground, real) {
  const script = join(root, 'scripts', 'sample-image.mjs');
  const options = real ? [] : ['--stand-in'];
  note(`$ node scripts/sample-image.mjs ${[...options, ground.sample].join(' ')}`);
  run(process.execPath, [script, ...options, ground.sample]);
  proves(
    real
      ? 'a bootable image made of Debian packages: kernel, initramfs, systemd-boot; without root, without daemon'
      : 'no Debian here: an image of the same shape whose boot programs do nothing',
  );
}

/** @param {Ground} ground */
async function makeKeys({ keys }) {
  heading(1, 'Keys');
  const passphrase = join(keys, 'passphrase');
  if (!existsSync(passphrase)) writeFileSync(passphrase, 'demo only\n', { mode: 0o600 });
  for (const name of ['acme', 'stranger']) {
    if (existsSync(join(keys, `${name}.private`))) note(`${name}: kept from an earlier run`);
    else {
      const prefix = join(keys, name);
      await bootseal([
        'key',
        'generate',
        'sigstore',
        '--output-prefix',
        prefix,
        '--passphrase-file',
        passphrase,
      ]);
    }
  }
  const secureBoot = join(keys, 'secureboot');
  if (existsSync(secureBoot)) note('secureboot: kept from an earlier run');
  else await bootseal(['key', 'generate', 'secureboot', secureBoot]);
  proves('an encrypted signing key that skopeo and cosign read too; PK, KEK and db for the firmware');
}

/** @param {Ground} ground */
async function setTrust({ keys, trust, sample, trusted, registry }) {
  heading(2, 'Trust');
  const key = ['--key', join(keys, 'acme.pub')];
  const here = `${registry?.host ?? 'registry.example'}/${REPOSITORY}`;
  await bootseal(['trust', 'init', '--repository', here, ...key, '--output', trust]);
  note('and inside the image, for the name that it will have in public:');
  const inImage = [
    '--repository',
    `registry.example/${REPOSITORY}`,
    ...key,
    '--from',
    sample,
    '--to',
    trusted,
  ];
  await bootseal(['trust', 'init', ...inImage]);
  useTrustHere(trust, registry === undefined);
  proves('policy.json, registries.d and the key: from this repository only images signed by this key');
}

/**
 * The files are meant for /etc of a machine. Here nothing is installed, so the policy names the key where it lies;
 * and where there is no registry, it is to judge folders, which have no name that a signature could be held against.
 * @param {string} trust
 * @param {boolean} folders
 */
function useTrustHere(trust, folders) {
  const text = readFileSync(join(trust, 'etc', 'containers', 'policy.json'), 'utf8');
  const policy = JSON.parse(text.replaceAll('/etc/pki/', `${join(root, trust)}/etc/pki/`));
  if (folders) {
    const [[scope, [requirement]]] = Object.entries(policy.transports.docker);
    const signedIdentity = { type: 'exactRepository', dockerRepository: scope };
    policy.transports = { dir: { '': [{ ...requirement, signedIdentity }] } };
  }
  writeFileSync(join(trust, 'policy-here.json'), JSON.stringify(policy, undefined, 2));
}

/** @param {Ground} ground */
async function takeDigest({ trusted }) {
  heading(3, 'Digest');
  await bootseal(['digest', trusted]);
  await bootseal(['digest', '--epoch', 'all', trusted]);
  proves('one number for every file, name, mode and attribute of the image; what bootc computes on the host');
}

/**
 * @param {Ground} ground
 * @param {string | undefined} earlier
 */
async function seal(ground, earlier) {
  heading(4, 'Seal');
  const { trusted, sealed } = ground;
  await bootseal(['seal', '--embed-dump', '--from', trusted, '--to', sealed, ...dbKey(ground)]);
  note('the same in single steps, as when the key is on another machine:');
  const uki = join(OUTPUT, 'uki');
  mkdirSync(uki, { recursive: true });
  const inSteps = `oci:${join(OUTPUT, 'sealed-in-steps')}:latest`;
  const loader = join(uki, 'systemd-boot.efi');
  const unsigned = join(uki, 'unsigned.efi');
  const signed = join(uki, 'signed.efi');
  const from = ['--from', trusted];
  const sign = ['uki', 'sign', ...dbKey(ground)];
  await bootseal(['build-uki', ...from, '--extract-systemd-boot', loader], { quiet: true });
  await bootseal([...sign, '--output', `${loader}.signed`, loader]);
  const withLoader = [...from, '--systemd-boot', `${loader}.signed`];
  await bootseal(['build-uki', ...withLoader, '--output', unsigned], { quiet: true });
  await bootseal([...sign, '--output', signed, unsigned]);
  const parting = ['--to', inSteps, '--uki', signed, ...certificate(ground)];
  await bootseal(['seal-with-uki', '--embed-dump', ...withLoader, ...parting], { quiet: true });
  const [whole, parts] = [sealed, inSteps].map(manifestDigest);
  if (whole !== parts) throw new Failure(`sealed at once ${whole}, in steps ${parts}`);
  proves(`both ways give the same image, ${whole}`);
  const { stdout } = await bootseal(['digest', sealed]);
  const cmdline = (await bootseal(['uki', 'inspect', signed], { quiet: true })).stdout;
  if (!cmdline.includes(`composefs=${stdout.trim()}`)) throw new Failure('the UKI names another digest');
  proves('the sealed image’s own layers give the digest that the signed UKI names');
  if (earlier !== undefined) {
    if (earlier !== whole) note('not the digest of the last run: packages or keys have changed since');
    else proves('the same digest as in the last run: sealing is reproducible');
  }
}

/** @param {string} name of an OCI layout in the folder of results */
function manifestDigest(name) {
  const folder = name.replace(/^oci:/, '').replace(/:latest$/, '');
  return JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8')).manifests[0].digest;
}

/** @param {Ground} ground */
function dbKey({ keys }) {
  return ['--key', join(keys, 'secureboot', 'db.key'), '--cert', join(keys, 'secureboot', 'db.crt')];
}

/**
 * @param {Ground} ground
 * @param {'acme' | 'stranger'} [name]
 */
function signingKey({ keys, registry }, name = 'acme') {
  const key = join(keys, `${name}.private`);
  const identity = registry ? [] : ['--sign-identity', `registry.example/${REPOSITORY}:1`];
  return [
    '--sign-by-sigstore-private-key',
    key,
    '--sign-passphrase-file',
    join(keys, 'passphrase'),
    ...identity,
  ];
}

/**
 * @param {Ground} ground
 * @param {string} [tag]
 */
function remote(ground, tag = '1') {
  return named(ground, `${REPOSITORY}:${tag}`);
}

/**
 * Pushes without showing it.
 * @param {Ground} ground
 * @param {string} from
 * @param {string} to
 * @param {readonly string[]} [signer]
 */
async function pushSilently(ground, from, to, signer = ['--remove-signatures']) {
  await bootseal(['copy', '--insecure-policy', ...registries(ground), ...signer, from, to], { silent: true });
}

/** @param {Ground} ground */
async function push(ground) {
  heading(5, 'Sign and push');
  const { sealed } = ground;
  await bootseal([
    'copy',
    '--insecure-policy',
    ...registries(ground),
    ...signingKey(ground),
    sealed,
    remote(ground),
  ]);
  await pushSilently(ground, ground.sample, remote(ground, 'unsigned'));
  await bootseal(['inspect', remote(ground)]);
  if (!ground.registry) {
    proves('docker-registry is missing: folders take its place, with the signature beside the image');
    return;
  }
  proves(
    `in a real registry on ${ground.registry.host}, with a signature that skopeo, podman and cosign find`,
  );
  await pushSilently(ground, ground.trusted, remote(ground, 'later'));
  await bootseal(['sign', ...registries(ground), ...signingKey(ground), remote(ground, 'later')]);
  proves('an image that is there already can be signed where it is');
}

/** @param {Ground} ground */
async function verify(ground) {
  heading(6, 'Verify');
  await bootseal(['verify', ...policy(ground), remote(ground)]);
  await bootseal(['verify', ...policy(ground), remote(ground, 'unsigned')], { expect: 1 });
  proves('the policy decides, in the words that podman and skopeo use; the accepted digest is pinned');
}

/** @param {Ground} ground */
function registries({ trust }) {
  return ['--registries.d', join(trust, 'etc', 'containers', 'registries.d')];
}

/** @param {Ground} ground */
function policy(ground) {
  return ['--policy', join(ground.trust, 'policy-here.json'), ...registries(ground)];
}

/** @param {Ground} ground */
async function upgrade(ground) {
  heading(7, 'Upgrade');
  const host = ['--root', join(OUTPUT, 'host')];
  await bootseal(['host', 'switch', remote(ground), ...host, ...policy(ground)]);
  note('somebody pushes another image under the name, without signing it:');
  await pushSilently(ground, ground.sample, remote(ground));
  await bootseal(['host', 'upgrade', ...host, ...policy(ground)], { expect: 1 });
  await bootseal(['host', 'status', ...host]);
  note('then its owner pushes one, signed:');
  await pushSilently(ground, ground.trusted, remote(ground), signingKey(ground));
  await bootseal(['host', 'upgrade', ...host, ...policy(ground)]);
  await pushSilently(ground, ground.sealed, remote(ground), signingKey(ground));
  proves('a refused upgrade changes nothing; a signed one is taken');
}

/** @param {Ground} ground */
async function tamper(ground) {
  const { registry = { host: '', url: '', folder: '' } } = ground;
  const cases = compiled.tampering.TAMPER_CASES.filter(({ onRegistry }) => ground.registry || !onRegistry);
  heading(8, `Tampering, ${cases.length === 9 ? 'nine' : cases.length} ways`);
  if (cases.length < 9) note('those that reach into a registry are left out: docker-registry is missing');
  const layout = join(OUTPUT, 'sample');
  const version = compiled.sample.kernelVersion(layout, 'latest');
  const folder = join(OUTPUT, 'tampered');
  mkdirSync(folder, { recursive: true });
  // Another good image of the same owner, which has another composefs digest.
  const otherSealed = join(OUTPUT, 'sealed-other');
  const other = `oci:${join(OUTPUT, 'other')}:latest`;
  const { readImage, writeImage } = compiled.layout;
  const trusted = readImage(join(OUTPUT, 'trusted'), 'latest');
  const changed = compiled.tampering.changeFile(trusted, 'etc/hostname', () => Buffer.from('other\n'));
  writeImage(join(OUTPUT, 'other'), 'latest', changed);
  await bootseal(
    ['seal', '--embed-dump', '--from', other, '--to', `oci:${otherSealed}:latest`, ...dbKey(ground)],
    {
      silent: true,
    },
  );
  await pushSilently(ground, ground.sealed, remote(ground, 'good'), signingKey(ground));
  note(
    `each is judged by: bootseal verify --sealed ${[...certificate(ground), ...policy(ground)].join(' ')} IMAGE`,
  );
  for (const { title, stoppedBy, apply } of cases) {
    process.stdout.write(`   ${title}\n`);
    const { image, undo } = await apply({
      registry,
      folder,
      repository: REPOSITORY,
      sealed: { layout: join(OUTPUT, 'sealed'), tag: 'latest' },
      otherSealed: { layout: otherSealed, tag: 'latest' },
      ukiPath: `boot/EFI/Linux/${version}.efi`,
      push: async (from, tag, name, key) => {
        const signer = signingKey(ground, key === 'own' ? 'acme' : 'stranger');
        await pushSilently(ground, `oci:${from}:${tag}`, named(ground, name), signer);
      },
      copy: async (from, to) => {
        await pushSilently(
          ground,
          `docker://${registry.host}/${from}`,
          `docker://${registry.host}/${to}`,
          [],
        );
      },
    });
    const command = ['verify', '--sealed', '--json', ...certificate(ground), ...policy(ground)];
    const { stdout } = await bootseal([...command, named(ground, image)], {
      expect: 1,
      silent: true,
    });
    showRefusal(stdout, stoppedBy);
    await undo();
  }
  proves('each is refused, at its own link of the chain, before anything could use the image');
}

/**
 * @param {Ground} ground
 * @param {string} image REPOSITORY:TAG
 */
function named({ registry }, image) {
  return registry
    ? `docker://${registry.host}/${image}`
    : `dir:${join(OUTPUT, 'pushed', image.replace(/.*:/, ''))}`;
}

/**
 * @param {string} json what `verify --sealed --json` printed
 * @param {string} stoppedBy the step that must have failed
 */
function showRefusal(json, stoppedBy) {
  /** @type {{ steps: { id: string, title: string, state: string, summary: string, code?: string }[] }} */
  const { steps } = JSON.parse(json);
  const failed = steps.find(({ state }) => state === 'failed');
  if (failed?.id !== stoppedBy) throw new Failure(`stopped by ${failed?.id}, not by ${stoppedBy}:\n${json}`);
  process.stdout.write(`     refused at ${failed.title}: ${failed.summary}  [${failed.code}]\n`);
}

/** @param {Ground} ground */
function certificate({ keys }) {
  return ['--cert', join(keys, 'secureboot', 'db.crt')];
}

/** @param {Ground} ground */
async function verifySealed(ground) {
  heading(9, 'The whole chain');
  await bootseal(['verify', '--sealed', ...certificate(ground), ...policy(ground), remote(ground)]);
  proves(
    'signature, every digest, the composefs digest from the layers, and both boot signatures; nothing unpacked',
  );
}

/** @param {Ground} ground */
async function report(ground) {
  heading(10, 'Report');
  const page = join(OUTPUT, 'report.html');
  await bootseal(['report', ...certificate(ground), ...policy(ground), remote(ground), '--output', page]);
  proves('the chain on one page that needs no network and no script');
}

function results() {
  process.stdout.write(`\nResults are in ${OUTPUT}/\n`);
  for (const [name, what] of [
    ['report.html', 'the chain of trust as a page: open it in a browser'],
    ['sealed/', 'the sealed image, an OCI layout: bootseal inspect oci:demo-output/sealed:latest'],
    ['uki/signed.efi', 'the signed boot image'],
    ['trust/', 'policy.json, registries.d and the public key, as a host needs them'],
    ['keys/', 'the keys, for this demo only'],
  ]) {
    process.stdout.write(`  ${name.padEnd(16)} ${what}\n`);
  }
}

/** Steps 0 to 4: the image, keys, trust, digest, seal. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure, root, run } from '../run.mjs';
import { OUTPUT, REPOSITORY, certificate, dbKey, manifestDigest } from './ground.mjs';
import { bootseal, heading, note, proves } from './terminal.mjs';

/** @typedef {import('./ground.mjs').Ground} Ground */

/**
 * @param {Ground} ground
 * @param {boolean} real
 */
export function makeSample(ground, real) {
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
export async function makeKeys({ keys }) {
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
export async function setTrust({ keys, trust, sample, trusted, registry }) {
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
export async function takeDigest({ trusted }) {
  heading(3, 'Digest');
  await bootseal(['digest', trusted]);
  await bootseal(['digest', '--epoch', 'all', trusted]);
  proves('one number for every file, name, mode and attribute of the image; what bootc computes on the host');
}

/**
 * @param {Ground} ground
 * @param {string | undefined} earlier
 */
export async function seal(ground, earlier) {
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

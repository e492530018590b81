/** What the steps of the demo work on, and the options that many of their commands share. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bootseal } from './terminal.mjs';

/** Relative: the demo runs from the checkout, and shows paths as somebody there would type them. */
export const OUTPUT = 'demo-output';
export const REPOSITORY = 'acme/os';

/**
 * Everything a step needs to know of the steps before.
 * @typedef {object} Ground
 * @property {string} keys folder, kept between runs
 * @property {string} trust folder that `trust init` writes
 * @property {string} sample oci: name
 * @property {string} trusted oci: name: the sample with the files of `trust init`
 * @property {string} sealed oci: name
 * @property {import('../../../test/support/registry.ts').TestRegistry} [registry]
 *   absent where docker-registry is missing: folders take its place
 */

/** @param {string} name of an OCI layout in the folder of results */
export function manifestDigest(name) {
  const folder = name.replace(/^oci:/, '').replace(/:latest$/, '');
  return JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8')).manifests[0].digest;
}

/** @param {Ground} ground */
export function dbKey({ keys }) {
  return ['--key', join(keys, 'secureboot', 'db.key'), '--cert', join(keys, 'secureboot', 'db.crt')];
}

/** @param {Ground} ground */
export function certificate({ keys }) {
  return ['--cert', join(keys, 'secureboot', 'db.crt')];
}

/**
 * @param {Ground} ground
 * @param {'acme' | 'stranger'} [name]
 */
export function signingKey({ keys, registry }, name = 'acme') {
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
 * @param {string} image REPOSITORY:TAG
 */
export function named({ registry }, image) {
  return registry
    ? `docker://${registry.host}/${image}`
    : `dir:${join(OUTPUT, 'pushed', image.replace(/.*:/, ''))}`;
}

/**
 * @param {Ground} ground
 * @param {string} [tag]
 */
export function remote(ground, tag = '1') {
  return named(ground, `${REPOSITORY}:${tag}`);
}

/** @param {Ground} ground */
export function registries({ trust }) {
  return ['--registries.d', join(trust, 'etc', 'containers', 'registries.d')];
}

/** @param {Ground} ground */
export function policy(ground) {
  return ['--policy', join(ground.trust, 'policy-here.json'), ...registries(ground)];
}

/**
 * Pushes without showing it.
 * @param {Ground} ground
 * @param {string} from
 * @param {string} to
 * @param {readonly string[]} [signer]
 */
export async function pushSilently(ground, from, to, signer = ['--remove-signatures']) {
  await bootseal(['copy', '--insecure-policy', ...registries(ground), ...signer, from, to], { silent: true });
}

/** The thread of one image: keys, trust, digest, seal, push, verify, upgrade, tampering, the whole chain, report. */
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isInstalled, root } from '../run.mjs';
import * as compiled from './compiled.mjs';
import { OUTPUT, manifestDigest } from './ground.mjs';
import { push, report, tamper, upgrade, verify, verifySealed } from './judging.mjs';
import { makeKeys, makeSample, seal, setTrust, takeDigest } from './making.mjs';
import { heading } from './terminal.mjs';

/** @typedef {import('./ground.mjs').Ground} Ground */

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
  const sealed = join(OUTPUT, 'sealed');
  return existsSync(join(sealed, 'index.json')) ? manifestDigest(sealed) : undefined;
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

/** Steps 5 to 10: push, verify, upgrade, tampering, the whole chain, report. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../run.mjs';
import * as compiled from './compiled.mjs';
import {
  OUTPUT,
  REPOSITORY,
  certificate,
  dbKey,
  named,
  policy,
  pushSilently,
  registries,
  remote,
  signingKey,
} from './ground.mjs';
import { bootseal, heading, note, proves } from './terminal.mjs';

/** @typedef {import('./ground.mjs').Ground} Ground */

/** @param {Ground} ground */
export async function push(ground) {
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
export async function verify(ground) {
  heading(6, 'Verify');
  await bootseal(['verify', ...policy(ground), remote(ground)]);
  await bootseal(['verify', ...policy(ground), remote(ground, 'unsigned')], { expect: 1 });
  proves('the policy decides, in the words that podman and skopeo use; the accepted digest is pinned');
}

/** @param {Ground} ground */
export async function upgrade(ground) {
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
export async function tamper(ground) {
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
export async function verifySealed(ground) {
  heading(9, 'The whole chain');
  await bootseal(['verify', '--sealed', ...certificate(ground), ...policy(ground), remote(ground)]);
  proves(
    'signature, every digest, the composefs digest from the layers, and both boot signatures; nothing unpacked',
  );
}

/** @param {Ground} ground */
export async function report(ground) {
  heading(10, 'Report');
  const page = join(OUTPUT, 'report.html');
  await bootseal(['report', ...certificate(ground), ...policy(ground), remote(ground), '--output', page]);
  proves('the chain on one page that needs no network and no script');
}

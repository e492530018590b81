/**
 * Builds a real bootable OCI image from Debian packages, without root and without a daemon:
 *
 *   node scripts/sample-image.mjs [--stand-in] oci:DIR[:TAG]
 *
 * A cloud kernel with its modules, busybox, systemd-boot and its stub, and an initramfs that reports what a boot
 * has reached. The same packages give the same image digest. Needs `npm run build` before.
 * `--stand-in`: needs no Debian, and boots nothing: boot programs of the test vectors in the same layers.
 */
import { Failure, script } from './lib/run.mjs';
import { buildSample, debianParts } from './lib/sample/image.mjs';
import { writeLayout } from './lib/sample/layout.mjs';
import { standInParts } from './lib/sample/stand-in.mjs';

await script(async () => {
  const standIn = process.argv[2] === '--stand-in';
  const [name, ...rest] = process.argv.slice(standIn ? 3 : 2);
  const match = /^oci:([^:]+)(?::([A-Za-z0-9][A-Za-z0-9._-]*))?$/.exec(name ?? '');
  if (!match || rest.length > 0) {
    throw new Failure('usage: node scripts/sample-image.mjs [--stand-in] oci:DIR[:TAG]', 2);
  }
  const [, folder, tag = 'latest'] = match;
  const digest = writeLayout(folder, tag, buildSample(standIn ? standInParts() : await debianParts()));
  process.stdout.write(`${digest}\n`);
});

/**
 * Builds a real bootable OCI image from Debian packages, without root and without a daemon:
 *
 *   node scripts/sample-image.mjs oci:DIR[:TAG]
 *
 * A cloud kernel with its modules, busybox, systemd-boot and its stub, and an initramfs that reports what a boot
 * has reached. The same packages give the same image digest. Needs `npm run build` before.
 */
import { buildSample } from './lib/sample/image.mjs';
import { writeLayout } from './lib/sample/layout.mjs';

const match = /^oci:([^:]+)(?::([A-Za-z0-9][A-Za-z0-9._-]*))?$/.exec(process.argv[2] ?? '');
if (!match || process.argv.length > 3) {
  process.stderr.write('usage: node scripts/sample-image.mjs oci:DIR[:TAG]\n');
  process.exitCode = 2;
} else {
  const [, folder, tag = 'latest'] = match;
  const sample = await buildSample();
  const digest = writeLayout(folder, tag, sample);
  process.stdout.write(`${digest}\n`);
}

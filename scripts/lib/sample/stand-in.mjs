/**
 * What the sample is made from where there are no Debian packages: the boot programs of the test vectors, which
 * are well-formed PE files that do nothing. Every step but a boot works as with the real image.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../run.mjs';
import { directory, file } from './files.mjs';

/** 1 January 2026, 00:00 UTC. */
const SECONDS = 1767225600n;
const EFI = 'usr/lib/systemd/boot/efi';

/** @returns {import('./image.mjs').Parts} */
export function standInParts() {
  /** @param {string} name */
  const vector = (name) => readFileSync(join(root, 'test', 'vectors', 'uki', 'in', name));
  const folders = [
    'usr',
    'usr/bin',
    'usr/sbin',
    'usr/lib',
    'etc',
    'etc/update-motd.d',
    'var',
    'run',
    'proc',
    'sys',
  ];
  return {
    kernelName: 'linux-image-0-stand-in',
    base: [
      ...[...folders, 'dev', 'root', 'home'].map((path) => directory(path, SECONDS)),
      directory('tmp', SECONDS, 0o1777),
      file(
        'usr/lib/os-release',
        SECONDS,
        'ID=sample\nNAME="bootseal sample"\nPRETTY_NAME="bootseal sample"\n',
      ),
      file('etc/issue.net', SECONDS, 'sample\n'),
      file('etc/update-motd.d/10-uname', SECONDS, '#!/bin/sh\nuname -snrvm\n', 0o755),
    ],
    busybox: [file('usr/bin/busybox', SECONDS, '#!/bin/sh\n', 0o755)],
    boot: [
      file(`${EFI}/linuxx64.efi.stub`, SECONDS, vector('stub-x64.efi'), 0o755),
      file(`${EFI}/systemd-bootx64.efi`, SECONDS, vector('stub-x64.efi'), 0o755),
    ],
    kernel: [
      file('boot/vmlinuz-0-stand-in', SECONDS, vector('k-x64.efi')),
      file('boot/config-0-stand-in', SECONDS, '# none\n'),
    ],
  };
}

/**
 * Whether making a bootable image would relabel it. The rules for finding the policy are those of composefs-rs;
 * the labels themselves are not computed here, so an image with a policy is refused rather than given the digest
 * of an image without labels.
 */
import { decodeUtf8 } from '../bytes/bytes.ts';
import { BootsealError } from '../errors.ts';
import { directoryAt } from './boot-entries.ts';
import { contentOf, type Tree } from './tree.ts';

const CONFIG = 'etc/selinux/config';

/** Far above any real configuration. */
const MAX_CONFIG = 1024 * 1024;

/** True for files whose content the check needs. */
export function isSelinuxConfig(path: string, size: number): boolean {
  return path === CONFIG && size <= MAX_CONFIG;
}

/**
 * Returns when the image names no policy: then labels are removed. Throws `composefs/selinux-unsupported` when it
 * does, or when that cannot be told; `composefs/bad-selinux-config`, `composefs/not-a-directory` where composefs-rs
 * refuses.
 */
export function refusePolicy(tree: Tree): void {
  const config = directoryAt(tree, 'etc/selinux')?.children.get('config');
  if (config === undefined) return;
  if (config.kind !== 'regular') throw badConfig('is not a regular file');
  const content = contentOf(config);
  if (content === undefined || policyType(content) !== undefined) {
    throw new BootsealError(
      'composefs/selinux-unsupported',
      'the image has an SELinux policy, and its labels are part of the digest',
      {
        where: `/${CONFIG}`,
        hint: 'computing labels is not supported yet: use --plain for the digest without boot transform, or cfsctl',
      },
    );
  }
}

/** Rust trims Unicode white space, which counts NEL (0x85) in and the byte order mark out. */
const RUST_SPACE = /^[\s\x85]+|[\s\x85]+$/g;

/** Value of the first `SELINUXTYPE=` line. Only the lines up to it need be UTF-8. */
function policyType(content: Uint8Array): string | undefined {
  let start = 0;
  while (start < content.length) {
    const newline = content.indexOf(0x0a, start);
    const end = newline < 0 ? content.length : newline;
    const line = decodeUtf8(content.subarray(start, end));
    if (line === undefined) throw badConfig('is not UTF-8');
    const equals = line.indexOf('=');
    if (equals >= 0 && line.slice(0, equals).replaceAll(RUST_SPACE, '').toUpperCase() === 'SELINUXTYPE') {
      return line.slice(equals + 1).replaceAll(RUST_SPACE, '');
    }
    start = end + 1;
  }
  return undefined;
}

function badConfig(what: string): BootsealError {
  return new BootsealError('composefs/bad-selinux-config', `the SELinux configuration ${what}`, {
    where: `/${CONFIG}`,
  });
}

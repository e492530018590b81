/**
 * How the kernel is asked to show a composefs image as a file tree: its EROFS image, read-only, under an overlay whose
 * data comes from the repository's objects. With `verity=require` the kernel compares the fs-verity digest of every
 * object with the one in the image before a byte of it is read (Documentation/filesystems/overlayfs.rst).
 */
import { BootsealError } from '../errors.ts';

export interface MountRequest {
  /** Absolute path of the EROFS image. */
  readonly image: string;
  /** Absolute path of the folder of objects. */
  readonly objects: string;
  /** Absolute path of the mount point. */
  readonly target: string;
  /** Absolute path of an empty folder of our own, for the EROFS mount below. */
  readonly lower: string;
  /** Shown as the source of the mount: the digest, usually. */
  readonly name: string;
  /** False: the kernel checks nothing, as with `composefs=?` on a kernel command line. */
  readonly verity: boolean;
  /** `file`: Linux mounts the image file itself (6.12 and later). `loop`: through a loop device. */
  readonly backing: 'file' | 'loop';
}

/** One program to run. The arguments are not for a shell. */
export interface MountStep {
  readonly program: 'mount' | 'umount';
  readonly args: readonly string[];
  /** For people. */
  readonly why: string;
}

/** In order. Run backwards with `umount` they are undone. Throws `mount/bad-path`. */
export function planMount(request: MountRequest): readonly MountStep[] {
  const { image, objects, target, lower, name, verity, backing } = request;
  for (const path of [image, objects, target, lower]) checkPath(path);
  // No `directio`: the kernel's file-backed mounts have had memory errors with it.
  const backed = backing === 'file' ? 'X-mount.noloop' : 'loop';
  const overlay = [
    'ro',
    'metacopy=on',
    'redirect_dir=on',
    ...(verity ? ['verity=require'] : []),
    `lowerdir+=${lower}`,
    `datadir+=${objects}`,
  ];
  return [
    {
      program: 'mount',
      args: ['-t', 'erofs', '-o', `ro,nodev,nosuid,${backed}`, '--', image, lower],
      why: `names, modes and small files (${backing === 'file' ? 'the file itself' : 'a loop device'})`,
    },
    {
      program: 'mount',
      args: ['-t', 'overlay', '-o', overlay.join(','), '--', `composefs:${name}`, target],
      why: verity ? 'contents, each checked by the kernel' : 'contents, unchecked',
    },
    // The overlay keeps what it needs of it.
    { program: 'umount', args: ['-l', '--', lower], why: 'the folder below is not needed any more' },
  ];
}

/** Options are cut at commas, and the kernel reads `\` and `:` in paths of overlay as its own. */
function checkPath(path: string): void {
  if (path.startsWith('/') && !/[,:\\"\s]/.test(path) && !path.includes('\0')) return;
  throw new BootsealError('mount/bad-path', `${JSON.stringify(path)} cannot stand in mount options`, {
    exit: 2,
    hint: 'use an absolute path without comma, colon, backslash, quotes and white space',
  });
}

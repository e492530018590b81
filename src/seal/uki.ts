/** The UKI of an image: kernel, initramfs and os-release as the image has them, and a command line that names the tree. */
import { decodeUtf8, encodeUtf8 } from '../bytes/bytes.ts';
import type { Parts } from '../bytes/rope.ts';
import { BootsealError } from '../errors.ts';
import { assembleUki } from '../uki/assemble.ts';
import { composefsKarg } from '../uki/cmdline.ts';
import { kargsFromToml } from '../uki/kargs.ts';
import type { SealBase } from './base.ts';
import { efiArchitecture, EFI_STUBS, rustArchitecture } from './boot-files.ts';

export interface UkiRequest {
  /** composefs digest of the final tree. */
  readonly digest: string;
  /** The EFI stub; the image's own when absent. */
  readonly stub?: Uint8Array;
  /** Appended to the command line. */
  readonly additionalKargs?: string;
}

export interface NewUki {
  readonly parts: Parts;
  readonly cmdline: string;
}

/** Unsigned. Nothing in it comes from the machine that builds it. */
export function ukiOf(base: SealBase, request: UkiRequest): NewUki {
  const { files } = base;
  const stub = request.stub ?? files.stub?.bytes;
  if (stub === undefined) {
    const name = `linux${efiArchitecture(base.image.config.architecture)}.efi.stub`;
    throw new BootsealError('seal/no-stub', `the image has no /${EFI_STUBS}/${name}`, {
      hint: 'install systemd-boot in the image, or give --stub FILE or --stub-from IMAGE',
    });
  }
  const cmdline = commandLine(base, request);
  const parts = assembleUki({
    stub,
    sections: {
      osrel: files.osRelease,
      cmdline: encodeUtf8(cmdline),
      uname: encodeUtf8(files.version),
      linux: files.kernel.bytes,
      initrd: [files.initramfs.bytes],
    },
  });
  return { parts, cmdline };
}

/** The image's kargs.d in name order, the digest, then what the caller adds: the order that bootc writes. */
function commandLine(base: SealBase, { digest, additionalKargs = '' }: UkiRequest): string {
  const architecture = rustArchitecture(base.image.config.architecture);
  const own = kargsFromToml(base.files.kargs, architecture);
  const added = additionalKargs.split(/\s+/).filter((word) => word !== '');
  for (const [words, origin] of [
    [own, 'kargs.d of the image'],
    [added, '--additional-kargs'],
  ] as const) {
    if (composefsKarg(words.join(' ')) !== undefined) {
      throw new BootsealError('seal/composefs-karg', `${origin} sets composefs= already`, {
        hint: 'leave it out: sealing computes it',
      });
    }
  }
  const cmdline = [...own, `composefs=${digest}`, ...added].join(' ');
  if (decodeUtf8(encodeUtf8(cmdline)) !== cmdline || /[\0\n]/.test(cmdline)) {
    throw new BootsealError('seal/bad-karg', 'a kernel argument holds a newline, a NUL or malformed text');
  }
  return cmdline;
}

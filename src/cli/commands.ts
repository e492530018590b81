/**
 * The table of commands: words, one line, examples, and where the code is. One entry a command; the code behind
 * `load` is imported only when the command runs or prints its own help.
 */
import type { Command } from './command.ts';

export interface CommandEntry {
  /** The words after `bootseal`. */
  readonly path: readonly string[];
  readonly summary: string;
  /** Whole command lines, shown by `--help`. */
  readonly examples: readonly string[];
  readonly group: Group;
  /** Left out of `bootseal --help`. */
  readonly hidden?: boolean;
  readonly load: () => Promise<{ readonly command: Command }>;
}

/** Headings of `bootseal --help`, in their order. */
export const GROUPS = ['Keys and trust', 'Sign and copy', 'Verify', 'Seal', 'Host', 'Help'] as const;
export type Group = (typeof GROUPS)[number];

export const commands: readonly CommandEntry[] = [
  {
    path: ['key', 'generate', 'sigstore'],
    summary: 'make a key pair for signing images, as skopeo and cosign use it',
    examples: ['bootseal key generate sigstore --output-prefix acme'],
    group: 'Keys and trust',
    load: () => import('./commands/key-generate-sigstore.ts'),
  },
  {
    path: ['trust', 'init'],
    summary: 'write policy.json, registries.d and the public key for a repository',
    examples: [
      'bootseal trust init --repository quay.io/acme/os --key acme.pub --output rootfs',
      'bootseal trust init --repository quay.io/acme/os --key acme.pub --from oci:os:base --to oci:os:trusted',
    ],
    group: 'Keys and trust',
    load: () => import('./commands/trust-init.ts'),
  },
  {
    path: ['policy', 'lint'],
    summary: 'name every mistake of a policy.json, and what to write instead',
    examples: ['bootseal policy lint', 'bootseal policy lint --fatal-warnings policy.json'],
    group: 'Keys and trust',
    load: () => import('./commands/policy/lint.ts'),
  },
  {
    path: ['policy', 'match'],
    summary: 'show which scope and which settings speak for a name, without network',
    examples: [
      'bootseal policy match quay.io/acme/os:10',
      'bootseal policy match --policy policy.json oci:/srv/os',
    ],
    group: 'Keys and trust',
    load: () => import('./commands/policy/match.ts'),
  },
  {
    path: ['policy', 'explain'],
    summary: 'show why an image is accepted or refused, down to each signature',
    examples: [
      'bootseal policy explain quay.io/acme/os:10',
      'bootseal policy explain --policy policy.json dir:os',
    ],
    group: 'Verify',
    load: () => import('./commands/policy/explain.ts'),
  },
  {
    path: ['audit'],
    summary: 'judge every tag of repositories: what would be refused today?',
    examples: [
      'bootseal audit quay.io/acme/os',
      'bootseal audit --json --policy policy.json quay.io/acme/os quay.io/acme/app',
    ],
    group: 'Verify',
    load: () => import('./commands/audit.ts'),
  },
  {
    path: ['sign'],
    summary: 'sign an image in its registry',
    examples: [
      'bootseal sign --sign-by-sigstore-private-key acme.private quay.io/acme/os:10',
      'bootseal sign --all --sign-by-sigstore-private-key acme.private --sign-passphrase-file pass quay.io/acme/os:10',
      'bootseal sign --sign-by FINGERPRINT --registries.d registries.d quay.io/acme/os:10',
      'bootseal sign --replace-key old.pub --key new.private --images-from images.txt',
    ],
    group: 'Sign and copy',
    load: () => import('./commands/sign.ts'),
  },
  {
    path: ['verify'],
    summary: 'judge an image by policy.json and print the digest that was judged',
    examples: [
      'bootseal verify quay.io/acme/os:10',
      'bootseal verify --policy policy.json --registries.d registries.d --require-signed quay.io/acme/os:10',
      'bootseal verify --offline os --identity quay.io/acme/os:10',
      'bootseal verify --as cosign --key acme.pub quay.io/acme/os:10',
      'bootseal verify --sealed --cert db.crt quay.io/acme/os:10-sealed',
    ],
    group: 'Verify',
    load: () => import('./commands/verify.ts'),
  },
  {
    path: ['digest'],
    summary: 'print the composefs digest of an image',
    examples: [
      'bootseal digest docker://quay.io/acme/os:10',
      'bootseal digest --epoch all oci:build',
      'bootseal digest --dump os.dump oci:build:latest',
      'bootseal digest --lint oci:build:latest',
      'bootseal digest --from-uki docker://quay.io/acme/os:10-sealed',
    ],
    group: 'Seal',
    load: () => import('./commands/digest.ts'),
  },
  {
    path: ['digest', 'diff'],
    summary: 'say what differs between two trees, which digests mind, and the likely cause',
    examples: [
      'bootseal digest diff oci:build docker://quay.io/acme/os:10',
      'bootseal digest diff ./rootfs ./os.dump',
    ],
    group: 'Seal',
    load: () => import('./commands/digest-diff.ts'),
  },
  {
    path: ['seal'],
    summary: 'make a sealed image: digest, UKI, Secure Boot signatures, in one step',
    examples: [
      'bootseal seal --from quay.io/acme/os:10 --to quay.io/acme/os:10-sealed --key db.key --cert db.crt',
      'bootseal seal --from oci:os:base --to oci:os:sealed --key db.key --cert db.crt --additional-kargs "quiet rw"',
    ],
    group: 'Seal',
    load: () => import('./commands/seal.ts'),
  },
  {
    path: ['build-uki'],
    summary: 'build the unsigned UKI of an image, to be signed elsewhere',
    examples: [
      'bootseal build-uki --from quay.io/acme/os:10 --extract-systemd-boot systemd-boot.efi',
      'bootseal build-uki --from quay.io/acme/os:10 --systemd-boot systemd-boot.signed.efi --output os.efi',
    ],
    group: 'Seal',
    load: () => import('./commands/build-uki.ts'),
  },
  {
    path: ['seal-with-uki'],
    summary: 'make a sealed image with a UKI that was signed elsewhere',
    examples: [
      'bootseal seal-with-uki --from quay.io/acme/os:10 --to quay.io/acme/os:10-sealed --uki os.signed.efi \\\n' +
        '    --systemd-boot systemd-boot.signed.efi --cert db.crt',
    ],
    group: 'Seal',
    load: () => import('./commands/seal-with-uki.ts'),
  },
  {
    path: ['copy'],
    summary: 'copy an image between stores, unchanged, with its signatures',
    examples: [
      'bootseal copy docker://quay.io/acme/os:10 oci:build:10 --remove-signatures',
      'bootseal copy --sign-by-sigstore-private-key acme.private oci:build:10 docker://quay.io/acme/os:10',
    ],
    group: 'Sign and copy',
    load: () => import('./commands/copy.ts'),
  },
  {
    path: ['inspect'],
    summary: 'show what an image is, without its layers',
    examples: ['bootseal inspect docker://quay.io/acme/os:10', 'bootseal inspect --raw oci:build:10'],
    group: 'Sign and copy',
    load: () => import('./commands/inspect.ts'),
  },
  {
    path: ['key', 'generate', 'secureboot'],
    summary: 'make the keys of Secure Boot: PK, KEK and db',
    examples: ['bootseal key generate secureboot keys --name "Acme"'],
    group: 'Keys and trust',
    load: () => import('./commands/key-generate-secureboot.ts'),
  },
  {
    path: ['uki', 'build'],
    summary: 'put a UKI, an addon or a profile together, as ukify does',
    examples: [
      'bootseal uki build --stub linuxx64.efi.stub --linux vmlinuz --initrd initramfs.img --os-release @os-release --cmdline "quiet" --output acme.efi',
      'bootseal uki build --stub addonx64.efi.stub --cmdline debug --output debug.addon.efi',
    ],
    group: 'Seal',
    load: () => import('./commands/uki-build.ts'),
  },
  {
    path: ['uki', 'sign'],
    summary: 'sign a UKI, an addon or systemd-boot for Secure Boot',
    examples: ['bootseal uki sign --key db.key --cert db.crt --output acme.efi acme.unsigned.efi'],
    group: 'Seal',
    load: () => import('./commands/uki-sign.ts'),
  },
  {
    path: ['uki', 'verify'],
    summary: 'would firmware with these certificates start it?',
    examples: ['bootseal uki verify --cert db.crt acme.efi'],
    group: 'Verify',
    load: () => import('./commands/uki-verify.ts'),
  },
  {
    path: ['uki', 'inspect'],
    summary: 'show the sections of a UKI',
    examples: ['bootseal uki inspect acme.efi', 'bootseal uki inspect --json acme.efi'],
    group: 'Seal',
    load: () => import('./commands/uki-inspect.ts'),
  },
  {
    path: ['composefs', 'mkfs'],
    summary: 'make a composefs image of a dump or a directory, as mkcomposefs does',
    examples: [
      'bootseal composefs mkfs rootfs rootfs.erofs --print-digest',
      'bootseal composefs mkfs --from-file rootfs.dump --hash sha512 --min-version 1 --print-digest-only',
    ],
    group: 'Seal',
    load: () => import('./commands/composefs/mkfs.ts'),
  },
  {
    path: ['composefs', 'dump'],
    summary: 'print what a composefs image holds, as text that mkfs reads',
    examples: ['bootseal composefs dump rootfs.erofs'],
    group: 'Seal',
    load: () => import('./commands/composefs/dump.ts'),
  },
  {
    path: ['composefs', 'info'],
    summary: 'list names and contents of composefs images',
    examples: [
      'bootseal composefs info ls rootfs.erofs',
      'bootseal composefs info --basedir objects missing-objects rootfs.erofs',
    ],
    group: 'Seal',
    load: () => import('./commands/composefs/info.ts'),
  },
  {
    path: ['composefs', 'fsck'],
    summary: 'list everything that is wrong with a composefs image',
    examples: ['bootseal composefs fsck rootfs.erofs'],
    group: 'Seal',
    load: () => import('./commands/composefs/fsck.ts'),
  },
  {
    path: ['verity', 'digest'],
    summary: 'print the fs-verity digests of files, as fsverity digest does',
    examples: [
      'bootseal verity digest rootfs.erofs',
      'bootseal verity digest --hash-alg sha512 --compact vmlinuz initramfs.img',
    ],
    group: 'Verify',
    load: () => import('./commands/verity-digest.ts'),
  },
  {
    path: ['composefs', 'repo', 'init'],
    summary: 'make a composefs repository, as bootc keeps images in',
    examples: [
      'bootseal composefs repo init /sysroot/composefs',
      'bootseal composefs repo init --insecure repo',
    ],
    group: 'Host',
    load: () => import('./commands/composefs-repo/init.ts'),
  },
  {
    path: ['composefs', 'repo', 'import'],
    summary: 'keep an image in a composefs repository, if the policy accepts it',
    examples: ['bootseal composefs repo import repo quay.io/acme/os:10'],
    group: 'Host',
    load: () => import('./commands/composefs-repo/import.ts'),
  },
  {
    path: ['composefs', 'repo', 'list'],
    summary: 'list the images of a composefs repository',
    examples: ['bootseal composefs repo list repo'],
    group: 'Host',
    load: () => import('./commands/composefs-repo/list.ts'),
  },
  {
    path: ['composefs', 'repo', 'fsck'],
    summary: 'check that everything in a composefs repository is what its name says',
    examples: ['bootseal composefs repo fsck repo'],
    group: 'Host',
    load: () => import('./commands/composefs-repo/fsck.ts'),
  },
  {
    path: ['composefs', 'repo', 'gc'],
    summary: 'remove what no name in a composefs repository leads to',
    examples: ['bootseal composefs repo gc --dry-run repo'],
    group: 'Host',
    load: () => import('./commands/composefs-repo/gc.ts'),
  },
  {
    path: ['composefs', 'mount'],
    summary: 'mount an image of a composefs repository, every file checked by the kernel',
    examples: [
      'bootseal composefs mount repo DIGEST /mnt',
      'bootseal composefs mount --dry-run repo DIGEST /mnt',
    ],
    group: 'Host',
    load: () => import('./commands/composefs-mount.ts'),
  },
  {
    path: ['host', 'switch'],
    summary: 'deploy another image on a host, if the policy accepts it',
    examples: ['bootseal host switch --root /var/lib/os docker://quay.io/acme/os:10'],
    group: 'Host',
    load: () => import('./commands/host/switch.ts'),
  },
  {
    path: ['host', 'upgrade'],
    summary: 'deploy what the name of the deployed image means now, if the policy accepts it',
    examples: [
      'bootseal host upgrade --root /var/lib/os',
      'bootseal host upgrade --root /var/lib/os --check',
    ],
    group: 'Host',
    load: () => import('./commands/host/upgrade.ts'),
  },
  {
    path: ['host', 'status'],
    summary: 'show what is deployed, and whether a signature stands for it',
    examples: ['bootseal host status --root /var/lib/os'],
    group: 'Host',
    load: () => import('./commands/host/status.ts'),
  },
  {
    path: ['report'],
    summary: 'draw the chain of trust of a sealed image as a page',
    examples: [
      'bootseal report --cert db.crt --output os.html docker://quay.io/acme/os:10-sealed',
      'bootseal report --cert db.crt --policy policy.json --output os.html oci:os:sealed',
    ],
    group: 'Verify',
    load: () => import('./commands/report.ts'),
  },
  {
    path: ['standalone-sign'],
    summary: 'make a simple signature of a manifest file',
    examples: ['bootseal standalone-sign manifest.json quay.io/acme/os:10 FINGERPRINT --output os.signature'],
    group: 'Sign and copy',
    load: () => import('./commands/standalone-sign.ts'),
  },
  {
    path: ['standalone-verify'],
    summary: 'check a simple signature of a manifest file',
    examples: [
      'bootseal standalone-verify manifest.json quay.io/acme/os:10 any os.signature --public-key-file acme.asc',
    ],
    group: 'Verify',
    load: () => import('./commands/standalone-verify.ts'),
  },
  {
    path: ['untrusted-signature-dump-without-verification'],
    summary: 'show what a simple signature claims, unchecked',
    examples: ['bootseal untrusted-signature-dump-without-verification os.signature'],
    group: 'Verify',
    hidden: true,
    load: () => import('./commands/untrusted-signature-dump.ts'),
  },
  {
    path: ['completion'],
    summary: 'print a completion script for bash, zsh or fish',
    examples: [
      'source <(bootseal completion bash)',
      'bootseal completion fish > ~/.config/fish/completions/bootseal.fish',
    ],
    group: 'Help',
    load: () => import('./commands/completion.ts'),
  },
];

/** The command whose words the arguments start with: `digest diff` before `digest`. */
export function findCommand(argv: readonly string[]): CommandEntry | undefined {
  return commands
    .filter((entry) => entry.path.every((word, index) => argv[index] === word))
    .sort((a, b) => b.path.length - a.path.length)[0];
}

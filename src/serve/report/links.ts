/** What each link of the chain proves, in words for readers who do not know the formats. By step id. */

const PROVES: Readonly<Record<string, string>> = {
  signature:
    'Someone who holds a key that the policy trusts vouches for exactly this manifest under exactly this name.',
  policy: 'The rules of this machine say which signatures this image needs.',
  manifest:
    'The manifest is the list of everything in the image, each part by its digest. Its own digest names the image.',
  config: 'The configuration says how the layers stack, by the digests of their unpacked bytes.',
  layers: 'Every byte of every layer was read and is the byte that the manifest lists.',
  tree: 'The layers were stacked as an installer stacks them, giving one tree of files.',
  composefs:
    'One digest over all files, their contents, owners, modes and attributes, computed anew from the layers.',
  seal: 'The digest of the file tree is the one written into the kernel command line: the kernel will mount these files or none.',
  uki: 'Kernel, initial RAM disk and command line are one file, so they can only change together.',
  cmdline: 'The kernel command line names the file tree by digest, and nothing in it loosens that.',
  'uki-signature': 'The firmware will start this kernel image only because of this signature.',
  bootloader: 'The boot loader that the firmware starts first.',
  'bootloader-signature': 'The firmware will start this boot loader only because of this signature.',
  'secure-boot': 'The firmware starts only files that one of its enrolled certificates vouches for.',
};

export function whatItProves(stepId: string): string | undefined {
  return PROVES[stepId];
}

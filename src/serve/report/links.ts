/** What each link of the chain proves, in words for readers who do not know the formats. By step id. */

const PROVES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    signature:
      'Someone who holds a key that the policy trusts vouches for exactly this manifest under exactly this name.',
    manifest:
      'The manifest is the list of everything in the image, each part by its digest. Its own digest names the image.',
    layers:
      'Every byte of every layer was read, packed and unpacked, and is the byte that manifest and configuration list.',
    uki: 'Kernel, initial RAM disk and command line are one file that can only change together, and firmware with these certificates starts it because of its signature.',
    seal: 'The digest of all files, computed anew from the layers, is the one in the signed kernel command line: the kernel mounts these files or none.',
    bootloader: 'Firmware with these certificates starts the boot loader because of its signature.',
  }),
);

export function whatItProves(stepId: string): string | undefined {
  return PROVES.get(stepId);
}

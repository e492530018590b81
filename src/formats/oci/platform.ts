/** Choosing the instance of an index for a platform, as containers/image does. */
import type { Descriptor, Platform } from './descriptor.ts';
import type { ImageIndex } from './manifest.ts';

/** Node's names for processors → Go's, which images use. */
const ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: 'amd64',
  ia32: '386',
  arm: 'arm',
  arm64: 'arm64',
  ppc64: 'ppc64le',
  riscv64: 'riscv64',
  s390x: 's390x',
  loong64: 'loong64',
};

/** Best first; a machine of a newer variant runs what is built for an older one. */
const VARIANTS: Readonly<Record<string, readonly string[]>> = {
  arm: ['v8', 'v7', 'v6', 'v5'],
  arm64: ['v8'],
};

/** This machine's. Container images for people on other systems are Linux images all the same. */
export function hostPlatform(architecture: string = process.arch): Platform {
  return { os: 'linux', architecture: ARCHITECTURES[architecture] ?? architecture };
}

/** `linux/amd64`, `linux/arm/v7`. */
export function formatPlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant === undefined ? [] : [variant])].join('/');
}

/**
 * The first instance that fits best, else the first that names no platform; undefined where none does. The same
 * choice everywhere: what is verified is what is then used.
 */
export function chooseInstance(index: ImageIndex, wanted: Platform): Descriptor | undefined {
  const fitting = index.manifests.filter(({ platform }) => {
    return platform?.os === wanted.os && platform.architecture === wanted.architecture;
  });
  for (const variant of acceptableVariants(wanted)) {
    const found = fitting.find(({ platform }) => platform?.variant === variant);
    if (found !== undefined) return found;
  }
  const anyVariant = wanted.variant === undefined ? fitting[0] : undefined;
  return (
    anyVariant ??
    index.manifests.find(({ platform, artifactType }) => platform === undefined && artifactType === undefined)
  );
}

/** Best first; undefined stands for an instance that names no variant. */
function acceptableVariants({ architecture, variant }: Platform): readonly (string | undefined)[] {
  const order = VARIANTS[architecture] ?? [];
  if (variant === undefined) return [undefined, ...order];
  const start = order.indexOf(variant);
  return start < 0 ? [variant] : [...order.slice(start), undefined];
}

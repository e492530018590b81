/** Limits on what layers may ask of this machine. Each names the attack that it stops. */

export interface LayerLimits {
  /** Decoded bytes of one image: a decompression bomb. */
  readonly plainBytes: number;
  /**
   * Decoded bytes for each compressed byte, counted once a layer has given `ratioGrace` of them. deflate reaches
   * 1032 and zstd far more on zeros; whole layers of real images stay below 20.
   */
  readonly ratio: number;
  readonly ratioGrace: number;
  /** Entries of one image, whiteouts included: each costs memory. */
  readonly entries: number;
  /** Bytes of names, link targets and extended attributes of one image: they are kept in memory. */
  readonly metadataBytes: number;
  /** Bytes of file contents kept because the caller asked for them. */
  readonly capturedBytes: number;
}

export const DEFAULT_LIMITS: LayerLimits = {
  plainBytes: 256 * 2 ** 30,
  ratio: 200,
  ratioGrace: 256 * 2 ** 20,
  entries: 2_000_000,
  metadataBytes: 512 * 2 ** 20,
  capturedBytes: 2 ** 30,
};

/** NAME_MAX: no kernel shows a longer name. composefs-rs makes an image of it that cannot be used. */
export const MAX_NAME = 255;
/** PATH_MAX, with its NUL taken by the leading slash that tar leaves out. */
export const MAX_PATH = 4096;
/** A longer symbolic link cannot be made or followed. */
export const MAX_LINK_TARGET = 4095;
/** XATTR_NAME_MAX, and XATTR_SIZE_MAX less the one that EROFS cannot store. */
export const MAX_XATTR_NAME = 255;
export const MAX_XATTR_VALUE = 65535;

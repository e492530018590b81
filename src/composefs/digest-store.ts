/** Digests of many files back to back: an array for each of them would take twice the bytes of the digests. */
import { VERITY_DIGEST_SIZE, type VerityAlgorithm } from '../formats/fsverity/format.ts';
import type { VerityDigests } from './tree.ts';

/** Files whose digests are kept in one array. */
const FILES = 512;

/** Whether a digest is known, before the digest itself. */
const FLAG = 1;

interface Slab {
  readonly bytes: Uint8Array;
  /** Where the digest of an algorithm is among those of one file, or -1 where none is computed. */
  readonly places: Readonly<Record<VerityAlgorithm, number>>;
}

/** Digests of one file, of which it holds no more than the place: a class, so that getters cost nothing a file. */
class StoredDigests implements VerityDigests {
  private readonly slab: Slab;
  private readonly at: number;

  constructor(slab: Slab, at: number) {
    this.slab = slab;
    this.at = at;
  }

  get sha256(): Uint8Array | undefined {
    return readDigest(this.slab, this.at, 'sha256');
  }

  set sha256(digest: Uint8Array) {
    writeDigest(this.slab, this.at, 'sha256', digest);
  }

  get sha512(): Uint8Array | undefined {
    return readDigest(this.slab, this.at, 'sha512');
  }

  set sha512(digest: Uint8Array) {
    writeDigest(this.slab, this.at, 'sha512', digest);
  }
}

function readDigest(
  { bytes, places }: Slab,
  file: number,
  algorithm: VerityAlgorithm,
): Uint8Array | undefined {
  const at = file + places[algorithm];
  if (places[algorithm] < 0 || bytes[at] === 0) return undefined;
  return bytes.subarray(at + FLAG, at + FLAG + VERITY_DIGEST_SIZE[algorithm]);
}

function writeDigest(
  { bytes, places }: Slab,
  file: number,
  algorithm: VerityAlgorithm,
  digest: Uint8Array,
): void {
  if (places[algorithm] < 0 || digest.length !== VERITY_DIGEST_SIZE[algorithm]) {
    throw new TypeError(`no place for a ${algorithm} of ${digest.length} bytes`);
  }
  const at = file + places[algorithm];
  bytes[at] = 1;
  bytes.set(digest, at + FLAG);
}

export interface DigestStore {
  /** Room for the digests of another file, to be written later; until then there are none. */
  add(): VerityDigests;
}

export function createDigestStore(algorithms: readonly VerityAlgorithm[]): DigestStore {
  const places: Record<VerityAlgorithm, number> = { sha256: -1, sha512: -1 };
  let size = 0;
  for (const algorithm of algorithms) {
    places[algorithm] = size;
    size += FLAG + VERITY_DIGEST_SIZE[algorithm];
  }
  let slab: Slab = { bytes: new Uint8Array(0), places };
  let used = 0;
  return {
    add() {
      if (used === slab.bytes.length) {
        slab = { bytes: new Uint8Array(FILES * size), places };
        used = 0;
      }
      const digests = new StoredDigests(slab, used);
      used += size;
      return digests;
    },
  };
}

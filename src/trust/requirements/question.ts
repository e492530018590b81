/** What a requirement is asked, whatever its type. */
import type { Digest } from '../../formats/oci/digest.ts';
import type { ImageName } from '../../formats/reference/image-name.ts';
import type { Clock, KeyReader, SignatureReader } from '../ports.ts';

export interface RequirementQuestion {
  readonly image: ImageName;
  readonly manifestDigest: Digest;
  readonly signatures: SignatureReader;
  readonly keys: KeyReader;
  readonly clock: Clock;
  /** Judge also the signatures after one that is good: for explaining. The verdict is the same. */
  readonly exhaustive?: boolean;
}

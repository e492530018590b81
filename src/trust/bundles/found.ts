/** What was found beside an image. */
import type { BootsealError } from '../../errors.ts';
import type { Digest } from '../../formats/oci/digest.ts';
import type { SigstoreBundle } from '../../formats/sigstore-bundle/format.ts';

export type FoundBundle =
  | { readonly artifact: Digest; readonly bundle: SigstoreBundle }
  /** Refused before any signature in it was looked at; does no harm to others beside it. */
  | { readonly artifact: Digest; readonly fault: BootsealError };

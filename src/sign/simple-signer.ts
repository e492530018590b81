/** `signImage` with a key of the user's gpg. */
import { formatReference, type DockerReference } from '../formats/reference/docker-reference.ts';
import { isSimpleSignatureOf, signSimple, type GpgKey } from './gpg-signer.ts';
import type { SimpleSigner } from './sign-forms.ts';
import { checkSignable, type SignOptions } from './sign-manifest.ts';
import { simplePlace, type SimplePlaceRequest } from './simple-place.ts';

export interface SimpleSignerRequest extends SimplePlaceRequest {
  /** Where the image lies; what is signed as its name may be another. */
  readonly repository: DockerReference;
  readonly options?: SignOptions;
}

/** A second signature by this key that says the same is not made. */
export function simpleSigner(key: GpgKey, request: SimpleSignerRequest): SimpleSigner {
  return {
    fingerprint: key.fingerprint,
    async sign({ digest }, identity, dryRun, destination) {
      checkSignable(digest, identity);
      const reference = formatReference(identity);
      const store = simplePlace(request.repository, destination, request);
      // 1. Can it be kept, and is it there already?
      await store.probe(digest);
      const { place, signatures } = await store.read(digest);
      for (const signature of signatures) {
        if (await isSimpleSignatureOf(signature, key, digest, reference)) {
          return { state: 'already-signed', place };
        }
      }
      if (dryRun) return { state: 'would-sign', place };
      // 2. Made, checked, kept.
      await store.append(digest, [await signSimple(digest, reference, key, request.options)]);
      return { state: 'signed', place };
    },
  };
}

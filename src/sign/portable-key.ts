/** Keys with which cosign and containers/image do not make the same signatures. */
import type { Step } from '../steps.ts';
import type { SigstorePublicKey } from '../formats/cosign/public-key.ts';

/**
 * containers/image hashes with SHA-256 whatever the key, and so does bootseal. cosign 3 signs with the hash of
 * the curve's size, and with Ed25519ph instead of Ed25519, and takes both when it verifies. Undefined for keys with which
 * all agree: P-256 and RSA.
 */
export function disagreementAbout({ algorithm, fieldSize }: SigstorePublicKey): string | undefined {
  const kind = algorithm === 'ed25519' ? 'Ed25519' : CURVES.get(fieldSize ?? 0);
  if (algorithm === 'rsa' || kind === undefined) return undefined;
  return `key of type ${kind}: podman, skopeo and bootc refuse what cosign signs with it`;
}

/** By the bytes of a coordinate. */
const CURVES: ReadonlyMap<number, string> = new Map([
  [28, 'P-224'],
  [48, 'P-384'],
  [66, 'P-521'],
]);

export function portableKeyStep(key: SigstorePublicKey): readonly Step[] {
  const summary = disagreementAbout(key);
  if (summary === undefined) return [];
  return [
    {
      id: 'portable',
      title: 'portable',
      state: 'warning',
      summary,
      code: 'sign/not-portable',
      hint: 'sign with bootseal or skopeo only, or use a key of type p256, which every tool treats alike',
    },
  ];
}

/** Where our verdict on a policy vector is stricter than skopeo's, or says the same in other words. */
import type { Expected } from './policy-vectors.ts';

export interface Difference {
  readonly ours: Expected;
  /** Anchor of the entry in docs/conformance.md that gives the reason. */
  readonly entry: string;
}

/** By the name of the case. Never laxer: `accept` stands nowhere here. */
export const STRICTER: Readonly<Record<string, Difference>> = {
  'rekor/empty-rekorPublicKeyPath-no-set': { ours: 'reject', entry: 'empty-rekor-key' },
  'rekor/null-rekorPublicKeyData-no-set': { ours: 'reject', entry: 'empty-rekor-key' },
  'gpg-keyring/ring-gpg-secret.gpg': { ours: 'reject', entry: 'secret-keyring' },
  'gpg-signature/shape-trailing-garbage': { ours: 'reject', entry: 'one-openpgp-message' },
  'gpg-signature/shape-twice': { ours: 'reject', entry: 'one-openpgp-message' },
  // Not reached is not refused: exit status 3 instead of 1.
  'registries.d/yaml-http-403': { ours: 'error', entry: 'lookaside-not-reached' },
  'registries.d/yaml-http-410': { ours: 'error', entry: 'lookaside-not-reached' },
  'registries.d/yaml-http-closed': { ours: 'error', entry: 'lookaside-not-reached' },
  'registries.d/conf-blocked': { ours: 'error', entry: 'blocked-location' },
  'multi-arch/dir-none-index-only': { ours: 'reject', entry: 'index-only' },
  'multi-arch/dir-multi-index-only': { ours: 'reject', entry: 'index-only' },
  'multi-arch/dir-arm-index-only': { ours: 'reject', entry: 'index-only' },
};

/** The verdict is the same; the peer prints what only its own program can print. */
export const OTHER_WORDS: Readonly<Record<string, RegExp>> = {
  // Raw signature bytes, and the address of a string.
  'rekor/other-signature':
    /No public key verified against the RekorSET: signature in Rekor SET does not match$/,
  'rekor/body-version': /unsupported Rekor SET Payload hashedrekord version "0\.0\.2"$/,
  // The words of another YAML reader.
  'registries.d/yaml-bad': /^parsing run\/registries\.d\/a\.yaml: yaml: line 1: /,
  // gpg gets further into such messages before it gives up.
  'gpg-signature/shape-signature-version-3': /: No data: signature packet of version 3$/,
  'gpg-signature/shape-type-text': /: No data: the packet before the text announces another signature$/,
  'gpg-signature/shape-first-byte-a0': /: No data: packet of 103 bytes where 6 remain$/,
};

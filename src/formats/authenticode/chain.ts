/** From a signer's certificate to a trusted one, as firmware does it: any certificate in `db` may be the end. */
import { equalBytes } from '../../bytes/bytes.ts';
import { isAuthority, isIssuedBy, keyUsages, type Certificate } from '../x509/certificate.ts';

/** Leaf, two intermediates and a root are the most that is used; each step may try several candidates. */
const MAX_CHAIN = 8;

/**
 * The path from `signer` to an anchor, both included, or undefined. The signer may itself be an anchor.
 * Intermediates come from `embedded` and must be authorities; dates are not looked at.
 */
export function findChain(
  signer: Certificate,
  embedded: readonly Certificate[],
  anchors: readonly Certificate[],
): Certificate[] | undefined {
  const path = [signer];
  const seen = new Set<string>();
  for (let current = signer; path.length <= MAX_CHAIN;) {
    if (anchors.some((anchor) => equalBytes(anchor.encoded, current.encoded))) return path;
    seen.add(Buffer.from(current.encoded).toString('latin1'));
    const anchor = anchors.find((candidate) => mayIssue(candidate) && isIssuedBy(current, candidate));
    if (anchor !== undefined) return [...path, anchor];
    const next = embedded.find(
      (candidate) =>
        !seen.has(Buffer.from(candidate.encoded).toString('latin1')) &&
        mayIssue(candidate) &&
        isIssuedBy(current, candidate),
    );
    if (next === undefined) return undefined;
    path.push(next);
    current = next;
  }
  return undefined;
}

function mayIssue(certificate: Certificate): boolean {
  return isAuthority(certificate) && (keyUsages(certificate)?.includes('keyCertSign') ?? true);
}

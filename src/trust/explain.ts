/** A verdict in words for people: what was judged, by which policy, what was asked for, where was looked, what to do. */
import type { StepDetail } from '../steps.ts';
import type { LookedIn, PolicyScope, PolicyVerdict } from './verdict.ts';

export interface Explained {
  readonly verdict: PolicyVerdict;
  readonly lookedIn: readonly LookedIn[];
  /** `linux/amd64`, for an instance of an index. */
  readonly platform?: string;
}

/** Anyone who may push can add signatures: a few say enough. */
const MAX_SHOWN = 10;

/** One line: the signer, or why not. */
export function summaryOf(verdict: PolicyVerdict): string {
  if (!verdict.allowed) return verdict.message ?? 'refused';
  const { signedBy } = verdict;
  if (signedBy === undefined) return 'unverified: the policy accepts anything for this name';
  return keyName(signedBy.keyFingerprint);
}

export function verdictDetails({ verdict, lookedIn, platform }: Explained): readonly StepDetail[] {
  const { signedBy } = verdict;
  const pinned = verdict.allowed ? '  (pinned: use this in later steps)' : '';
  const details: StepDetail[] = [{ label: 'digest', value: verdict.pinnedDigest + pinned }];
  if (platform !== undefined) details.push({ label: 'platform', value: platform });
  details.push({ label: 'policy', value: `${verdict.policyFile}  ${describeScope(verdict.scope)}` });
  if (signedBy !== undefined) {
    const { identity, identityRule, keyFingerprint, keySource } = signedBy;
    details.push({ label: 'signed by', value: `${keyName(keyFingerprint)}  ${keySource}` });
    details.push({ label: 'identity', value: `${identity}  (${identityRule})` });
  }
  for (const { use, allowed, wants, message } of verdict.bundles ?? []) {
    const said = allowed ? 'there' : (message ?? 'refused');
    details.push({
      label: 'bundle',
      value: `${use === 'require' ? 'required' : 'would do'}: ${wants}  ${said}`,
    });
  }
  return verdict.allowed ? details : [...details, ...refusalDetails(verdict, lookedIn)];
}

function refusalDetails(verdict: PolicyVerdict, lookedIn: readonly LookedIn[]): StepDetail[] {
  const details: StepDetail[] = [];
  const failed = verdict.requirements.find(({ allowed }) => !allowed);
  if (failed?.wants !== undefined)
    details.push({ label: 'required', value: `${failed.type}, ${failed.wants}` });
  const refused = failed?.signatures.filter(({ accepted }) => !accepted) ?? [];
  for (const { message, keyFingerprint } of refused.slice(0, MAX_SHOWN)) {
    const key = keyFingerprint === undefined ? '' : `  (key ${keyFingerprint})`;
    details.push({ label: 'signature', value: (message ?? 'refused') + key });
  }
  if (refused.length > MAX_SHOWN) {
    details.push({ label: 'signature', value: `and ${refused.length - MAX_SHOWN} more` });
  }
  for (const { place, result } of lookedIn)
    details.push({ label: 'looked in', value: `${place}  ${result}` });
  return details;
}

/** `sigstore key SHA256:…` or `OpenPGP key HEX`. */
export function keyName(fingerprint: string): string {
  return `${fingerprint.startsWith('SHA256:') ? 'sigstore' : 'OpenPGP'} key ${fingerprint}`;
}

/** `scope "quay.io/acme"  (docker)`, `everything of dir`, `default of the policy`. */
function describeScope({ transport, scope }: PolicyScope): string {
  if (transport === '') return 'default of the policy';
  return scope === '' ? `everything of ${transport}` : `scope ${JSON.stringify(scope)}  (${transport})`;
}

/** A command or an edit that would mend it. */
export function hintOf({ verdict, lookedIn }: Explained): string | undefined {
  if (verdict.allowed) {
    return verdict.verified
      ? undefined
      : 'to insist on a signature, add a sigstoreSigned requirement, or verify with --require-signed';
  }
  switch (verdict.reasonCode) {
    case 'trust/no-signature':
      if (verdict.requirements.find(({ allowed }) => !allowed)?.type === 'signedBy')
        return 'sign it: bootseal sign --sign-by FINGERPRINT IMAGE';
      // A signature that registries.d hides is nearer than one that would have to be made.
      if (
        lookedIn.some(({ result }) => result.includes('cosign bundle')) &&
        !lookedIn.some(({ result }) => result.includes('attachments are off'))
      )
        return 'signed with `cosign sign` 3; sign it for this policy too: bootseal sign --sign-by-sigstore-private-key KEY IMAGE';
      return lookedIn.some(({ result }) => result.startsWith('not read'))
        ? 'registries.d does not say use-sigstore-attachments: true for this repository'
        : 'sign it: bootseal sign --sign-by-sigstore-private-key KEY IMAGE';
    case 'trust/identity-mismatch':
      return 'the signature is good but names another image; cosign signs the repository only, which matchRepository accepts';
    case 'trust/bad-signature':
      return 'signed with another key, or changed since: compare the key of the policy with the signer’s';
    case 'trust/digest-mismatch':
      return 'the signature belongs to another image: sign this one';
    case 'trust/expired-key':
      return 'extend the key (gpg --quick-set-expire FINGERPRINT 2y) and give the policy its public key anew';
    case 'trust/expired-signature':
      return 'sign the image once more';
    case 'trust/revoked-key':
      return 'sign with another key, and give the policy that one';
    case 'trust/unknown-key':
      return 'signed with a key that the policy does not name: compare it with the signer’s';
    case 'trust/secret-key':
      return 'give the policy the public key: gpg --export FINGERPRINT; and keep the secret one off this machine';
    case 'trust/key-unreadable':
      return 'check the key files that the policy names: every one of them must load';
    case 'trust/no-rekor-entry':
      return 'the policy wants signatures that a Rekor log has seen: sign with cosign and its log, or leave rekorPublicKey… out';
    case 'trust/bad-rekor-entry':
      return 'the log entry is of another signature, or of a log whose key the policy does not name';
    case 'trust/no-certificate':
      return 'the policy wants a signer with a certificate, and this signature was made with a bare key';
    case 'trust/bad-certificate':
      return 'the certificate does not lead to the roots of the policy, or was not valid when it signed';
    case 'trust/other-signer':
      return 'the certificate is good and somebody else’s: compare oidcIssuer, subjectEmail and subjectHostname';
    case 'policy/rekor-empty':
      return 'podman and skopeo would ask for no log entry at all here, and say nothing';
    case 'trust/rejected':
      return verdict.scope.transport === '' || verdict.scope.scope === ''
        ? 'add a scope for this name to the policy: bootseal trust init writes one'
        : 'this scope rejects every image, on purpose: bootseal policy match IMAGE shows which rule speaks';
    case 'trust/not-verified':
      return 'the policy takes anything here: give this name a sigstoreSigned or signedBy requirement';
    case undefined:
    default:
      return undefined;
  }
}

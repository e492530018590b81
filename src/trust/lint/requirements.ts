/** Requirements that are valid and do not do what they look like. */
import type { IdentityMatch, KeySource, Requirement } from '../../formats/policy-json/policy.ts';
import { goQuote } from '../../formats/strict-json/go-quote.ts';
import { checksSignatures } from '../evaluate.ts';
import type { Finding, Report } from './finding.ts';
import type { LintScope } from './shape.ts';

export function lintRequirements(scope: LintScope, report: Report): void {
  const { requirements } = scope;
  const types = requirements.flatMap(({ requirement }) => requirement?.type ?? []);
  const whole = types.length === requirements.length && types.length > 0;
  if (whole && types.every((type) => type === 'insecureAcceptAnything')) lintAcceptAnything(scope, report);
  if (types.length > 1) lintSeveral(scope, report);
  for (const { requirement, offset, offsetOf } of requirements) {
    if (requirement === undefined) continue;
    const say = (
      severity: Finding['severity'],
      code: Finding['code'],
      member: string,
      message: string,
      hint?: string,
    ): void =>
      report({
        severity,
        code,
        message,
        offset: member === '' ? offset : offsetOf(member),
        ...(hint !== undefined && { hint }),
      });
    lintKeys(requirement, say);
    if ('signedIdentity' in requirement) lintIdentity(requirement.signedIdentity, scope, say);
  }
}

type Say = (
  severity: Finding['severity'],
  code: Finding['code'],
  member: string,
  message: string,
  hint?: string,
) => void;

/** Local stores hold what was pulled, and that was judged then. */
const LOCAL = ['docker-daemon', 'containers-storage'];

function lintAcceptAnything({ transport, scope, offset }: LintScope, report: Report): void {
  if (transport !== undefined && LOCAL.includes(transport)) return;
  const what =
    transport === undefined
      ? 'images that no scope names are accepted unsigned'
      : scope === ''
        ? `images of ${transport} that no scope names are accepted unsigned`
        : `images of ${goQuote(scope ?? '')} are accepted unsigned`;
  const wide = transport === undefined || scope === '';
  report({
    severity: wide ? 'warning' : 'note',
    code: 'policy/accepts-anything',
    message: what,
    offset,
    ...(wide && { hint: 'write [{"type": "reject"}] here, and a scope for each repository that is wanted' }),
  });
}

/** All must pass: two keys in two requirements are two signatures, not a choice. */
function lintSeveral({ requirements }: LintScope, report: Report): void {
  const known = requirements.flatMap((each) =>
    each.requirement === undefined ? [] : [{ ...each, requirement: each.requirement }],
  );
  const rejecting = known.find(({ requirement }) => requirement.type === 'reject');
  if (rejecting !== undefined) {
    const message = 'all requirements must pass, and reject never does: the others have no effect';
    report({ severity: 'warning', code: 'policy/no-effect', message, offset: rejecting.offset });
    return;
  }
  for (const { requirement, offset } of known) {
    if (requirement.type !== 'insecureAcceptAnything') continue;
    const message = 'insecureAcceptAnything beside another requirement adds nothing: all must pass';
    report({ severity: 'warning', code: 'policy/no-effect', message, offset, hint: 'remove it' });
  }
  const checking = known.filter(({ requirement }) => checksSignatures(requirement));
  if (checking.length < 2) return;
  const message = `all ${checking.length} requirements must pass, each by a signature of its own: both keys, not either`;
  const hint = 'for one key or the other write one requirement with "keyPaths": […]';
  report({ severity: 'note', code: 'policy/all-must-pass', message, offset: checking[1].offset, hint });
}

function lintKeys(requirement: Requirement, say: Say): void {
  switch (requirement.type) {
    case 'signedBy': {
      const { keyType, keys } = requirement;
      if (keyType !== 'GPGKeys') {
        say(
          'error',
          'policy/never-passes',
          'keyType',
          `nothing satisfies keyType ${goQuote(keyType)}: it was never implemented`,
          'write "keyType": "GPGKeys"',
        );
      }
      if (isEmpty(keys))
        say(
          'error',
          'policy/never-passes',
          keys.member,
          `${keys.member} names no key: every image is refused ("No public keys imported")`,
        );
      return;
    }
    case 'sigstoreSigned': {
      const { trust, rekor } = requirement;
      if (rekor?.isEmpty === true) {
        const { member } = rekor.source;
        say(
          'error',
          'policy/rekor-empty',
          member,
          `${member} is empty: podman and skopeo then ask for no Rekor entry at all, and say nothing`,
          'name the file of the log’s public key, or remove the member',
        );
      }
      if (trust.kind === 'keys' && isEmpty(trust.keys)) {
        say(
          'error',
          'policy/never-passes',
          trust.keys.member,
          `${trust.keys.member} has an empty entry: every image is refused`,
        );
      }
      return;
    }
    case 'signedBaseLayer':
      say(
        'error',
        'policy/never-passes',
        '',
        'signedBaseLayer was never implemented: every image is refused',
      );
      return;
    case 'reject':
    case 'insecureAcceptAnything':
    default:
  }
}

function isEmpty(keys: KeySource): boolean {
  return keys.kind === 'paths'
    ? keys.paths.length === 0 || keys.paths.includes('')
    : keys.data.some((data) => data.length === 0);
}

/** Images of these are paths, and a path is no name that a signature could speak of. */
const NAMELESS = ['dir', 'oci', 'oci-archive', 'sif', 'tarball', 'docker-archive'];

function lintIdentity(identity: IdentityMatch, { transport, scope = '' }: LintScope, say: Say): void {
  const { type } = identity;
  if (
    transport !== undefined &&
    NAMELESS.includes(transport) &&
    type !== 'exactReference' &&
    type !== 'exactRepository'
  ) {
    say(
      'warning',
      'policy/never-passes',
      'signedIdentity',
      `images of ${transport}: have no name that ${type} could compare: every one is refused`,
      'write {"type": "exactRepository", "dockerRepository": "HOST/PATH"}',
    );
    return;
  }
  if (type === 'matchRepository' || type === 'exactRepository') {
    say(
      'note',
      'policy/rollback',
      'signedIdentity',
      `${type} takes any signature of the repository: an old image can be put under a new tag`,
      'matchRepoDigestOrExact (the default) ties the signature to the tag; cosign signs no tag',
    );
  }
  if (type !== 'remapIdentity' || transport !== 'docker' || scope === '' || scope.startsWith('*.')) return;
  const { prefix } = identity;
  const name = scope.replace(/(?<=\/[^/]*)(?::[^/:]*|@[^/]*)$/, '');
  if (isBelow(name, prefix) || isBelow(prefix, name)) return;
  say(
    'warning',
    'policy/no-effect',
    'signedIdentity',
    `no image of ${goQuote(scope)} starts with the prefix ${goQuote(prefix)}: nothing is remapped`,
    `write "prefix": ${JSON.stringify(name)}`,
  );
}

function isBelow(name: string, parent: string): boolean {
  return name === parent || name.startsWith(`${parent}/`);
}

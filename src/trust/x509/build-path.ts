/**
 * A path from a certificate to a trusted one (RFC 5280 section 6), at a given time and for one extended key usage, with
 * the rules of Go's x509, because the peers decide by those: every certificate of a path must be valid then, issuers
 * must be authorities within their path length, names must be within the constraints, usages nest.
 */
import { compareBytes, equalBytes } from '../../bytes/bytes.ts';
import { BootsealError, isBootsealError } from '../../errors.ts';
import { OID } from '../../formats/der/oid.ts';
import { attributesOf } from '../../formats/x509/name.ts';
import { goQuote } from '../../formats/strict-json/go-quote.ts';
import { checkIssuedBy } from './issued-by.ts';
import { checkNameConstraints } from './name-constraints.ts';
import type { PathCertificate } from './path-certificate.ts';

/** Go's limit on signatures checked in one search: issuers that all fit by name would multiply. */
const MAX_SIGNATURE_CHECKS = 100;

export interface PathQuestion {
  readonly leaf: PathCertificate;
  readonly intermediates: readonly PathCertificate[];
  /** Their own signature means nothing; the other rules hold for them too. */
  readonly roots: readonly PathCertificate[];
  /** Milliseconds since 1970. May be beyond what a Date can hold. */
  readonly at: number;
  /** Object identifier. A certificate without the extension allows all. */
  readonly usage: string;
}

type Role = 'leaf' | 'intermediate' | 'root';

/**
 * The path, leaf first. Throws `x509/expired`, `x509/unknown-authority`, `x509/usage`, `x509/path-length`,
 * `x509/not-authority`, `x509/name-constraints`, `x509/unhandled-extension`, `x509/too-many-checks`.
 */
export function buildPath(question: PathQuestion): readonly PathCertificate[] {
  const { leaf, roots, usage } = question;
  checkCertificate(leaf, 'leaf', [], question);
  const isRoot = roots.some((root) => equalBytes(root.certificate.encoded, leaf.certificate.encoded));
  const search: Search = { question, checks: 0, paths: [] };
  if (isRoot) search.paths.push([leaf]);
  else {
    const error = extend(search, [leaf]);
    if (error !== undefined) throw error;
  }
  // Rules about whole paths: any path that keeps them will do.
  let reason: BootsealError | undefined;
  for (const path of search.paths) {
    if (!allowsUsage(path, usage)) continue;
    const fault = constraintFault(path);
    if (fault === undefined) return path;
    reason ??= fault;
  }
  throw reason ?? new BootsealError('x509/usage', 'x509: certificate specifies an incompatible key usage');
}

interface Search {
  readonly question: PathQuestion;
  checks: number;
  readonly paths: (readonly PathCertificate[])[];
}

/** Adds every path that goes on from the last certificate. Without any, returns why, as Go words it. */
function extend(search: Search, path: readonly PathCertificate[]): BootsealError | undefined {
  const { question } = search;
  const last = path.at(-1)!;
  const before = search.paths.length;
  let reason: BootsealError | undefined;
  let hint: { readonly error: BootsealError; readonly of: PathCertificate } | undefined;

  const consider = (role: Role, candidate: PathCertificate): void => {
    if (path.some((known) => isSame(known, candidate))) return;
    search.checks += 1;
    if (search.checks > MAX_SIGNATURE_CHECKS) {
      reason = new BootsealError(
        'x509/too-many-checks',
        'x509: signature check attempts limit reached while verifying certificate chain',
      );
      return;
    }
    try {
      checkIssuedBy(last, candidate);
    } catch (error) {
      if (!isBootsealError(error)) throw error;
      hint ??= { error, of: candidate };
      return;
    }
    try {
      checkCertificate(candidate, role, path, question);
    } catch (error) {
      if (!isBootsealError(error)) throw error;
      hint ??= { error, of: candidate };
      reason = error;
      return;
    }
    if (role === 'root') {
      search.paths.push([...path, candidate]);
      reason = undefined;
    } else {
      reason = extend(search, [...path, candidate]);
    }
  };
  for (const root of likelyIssuers(last, question.roots)) consider('root', root);
  for (const issuer of likelyIssuers(last, question.intermediates)) consider('intermediate', issuer);

  if (search.paths.length > before) return undefined;
  return reason ?? unknownAuthority(hint);
}

/** Certificates that bear the issuer's name; those whose key identifier fits come first. */
function likelyIssuers(
  { certificate, authorityKeyId }: PathCertificate,
  pool: readonly PathCertificate[],
): readonly PathCertificate[] {
  const rank = ({ subjectKeyId }: PathCertificate): number => {
    const wanted = authorityKeyId ?? NONE;
    const own = subjectKeyId ?? NONE;
    if (equalBytes(own, wanted)) return 0;
    return own.length === 0 || wanted.length === 0 ? 1 : 2;
  };
  return pool
    .filter((candidate) => equalBytes(candidate.certificate.subject, certificate.issuer))
    .toSorted((a, b) => rank(a) - rank(b));
}

const NONE = new Uint8Array(0);

/** The same name, key and alternative names: going through it again would be a loop. */
function isSame(a: PathCertificate, b: PathCertificate): boolean {
  return (
    equalBytes(a.certificate.subject, b.certificate.subject) &&
    equalBytes(a.certificate.spki, b.certificate.spki) &&
    (a.encodedNames === undefined || b.encodedNames === undefined
      ? a.encodedNames === b.encodedNames
      : compareBytes(a.encodedNames, b.encodedNames) === 0)
  );
}

function checkCertificate(
  candidate: PathCertificate,
  role: Role,
  path: readonly PathCertificate[],
  { at }: PathQuestion,
): void {
  if (candidate.unhandled.length > 0) {
    throw new BootsealError('x509/unhandled-extension', 'x509: unhandled critical extension');
  }
  const { notBefore, notAfter } = candidate.certificate;
  const outside =
    at < notBefore.getTime()
      ? `before ${formatTime(notBefore.getTime())}`
      : at > notAfter.getTime()
        ? `after ${formatTime(notAfter.getTime())}`
        : undefined;
  if (outside !== undefined) {
    const message = `x509: certificate has expired or is not yet valid: current time ${formatTime(at)} is ${outside}`;
    throw new BootsealError('x509/expired', message);
  }
  const { basicConstraints } = candidate;
  if (role === 'intermediate' && basicConstraints?.authority !== true) {
    throw new BootsealError(
      'x509/not-authority',
      'x509: certificate is not authorized to sign other certificates',
    );
  }
  const between = path.length - 1;
  if (basicConstraints?.pathLength !== undefined && between > basicConstraints.pathLength) {
    throw new BootsealError('x509/path-length', 'x509: too many intermediates for path length constraint');
  }
}

/** An authority's constraints hold for the names of every certificate below it. */
function constraintFault(path: readonly PathCertificate[]): BootsealError | undefined {
  try {
    for (const [at, { constraints }] of path.entries()) {
      if (at === 0 || constraints === undefined) continue;
      for (const { names } of path.slice(0, at)) checkNameConstraints(constraints, names);
    }
    return undefined;
  } catch (error) {
    if (!isBootsealError(error)) throw error;
    const message = `x509: a root or intermediate certificate is not authorized to sign for this name: ${error.message}`;
    return new BootsealError('x509/name-constraints', message);
  }
}

/** Each certificate that limits its usages must allow this one, the root as well. */
function allowsUsage(path: readonly PathCertificate[], usage: string): boolean {
  return path.every(({ extendedKeyUsages: usages }) => {
    return usages.length === 0 || usages.includes(usage) || usages.includes(OID.anyExtendedKeyUsage);
  });
}

function unknownAuthority(
  hint: { readonly error: BootsealError; readonly of: PathCertificate } | undefined,
): BootsealError {
  const why =
    hint === undefined
      ? ''
      : ` (possibly because of ${goQuote(hint.error.message)} while trying to verify candidate authority certificate ${goQuote(nameOf(hint.of))})`;
  return new BootsealError('x509/unknown-authority', `x509: certificate signed by unknown authority${why}`);
}

/** Out of the encoded name: an organization may be called `x,CN=y`. */
function nameOf({ certificate: { subject, subjectText } }: PathCertificate): string {
  return attributesOf(subject, OID.commonName).at(-1) ?? subjectText;
}

function formatTime(milliseconds: number): string {
  const time = new Date(milliseconds);
  if (Number.isNaN(time.getTime())) return `${milliseconds / 1000} s since 1970`;
  return time.toISOString().replace(/\.\d+Z$/, 'Z');
}

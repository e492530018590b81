/** What a bundle says, read once its signature has been checked: that this digest is signed, and nothing else. */
import { isBootsealError, type ErrorCode } from '../../errors.ts';
import type { Envelope } from '../../formats/dsse/envelope.ts';
import { isAbout, parseStatement, STATEMENT_PAYLOAD_TYPE } from '../../formats/in-toto/statement.ts';
import type { Digest } from '../../formats/oci/digest.ts';
import { COSIGN_SIGN_PREDICATE } from '../../formats/sigstore-bundle/format.ts';
import { goQuote } from '../../formats/strict-json/go-quote.ts';

export interface StatementFault {
  readonly code: ErrorCode;
  readonly message: string;
}

/**
 * Undefined when the statement signs this image. An attestation about it (an SBOM, say) is not a signature, unless
 * `anyPredicate`: then any statement about it will do.
 */
export function statementFault(
  { payloadType, payload }: Envelope,
  image: Digest,
  anyPredicate = false,
): StatementFault | undefined {
  if (payloadType !== STATEMENT_PAYLOAD_TYPE) {
    return {
      code: 'trust/malformed-payload',
      message: `payload type ${goQuote(payloadType)} is no statement`,
    };
  }
  try {
    const statement = parseStatement(payload);
    const signs = statement.current && statement.predicateType === COSIGN_SIGN_PREDICATE;
    if (!signs && !anyPredicate) {
      const message = `predicate ${goQuote(statement.predicateType)} is not a signature of an image`;
      return { code: 'trust/malformed-payload', message };
    }
    if (isAbout(statement, image)) return undefined;
    const named = statement.subjects.flatMap(({ digests }) => digests.get('sha256') ?? []).slice(0, 3);
    return {
      code: 'trust/digest-mismatch',
      message: `Signature for digest sha256:${named.join(', sha256:') || '?'} does not match`,
    };
  } catch (error) {
    if (!isBootsealError(error)) throw error;
    return { code: 'trust/malformed-payload', message: error.message };
  }
}

/** Job `uki sign`: signs a boot program for Secure Boot, checks the signature as firmware would, and writes it. */
import { encodeHex } from '../bytes/hex.ts';
import { partsLength, type Parts } from '../bytes/rope.ts';
import { BootsealError } from '../errors.ts';
import { signImage, type Signer } from '../formats/authenticode/sign.ts';
import { verifyPe } from '../formats/authenticode/verify.ts';
import { isTestCertificate } from '../formats/x509/test-keys.ts';
import { parseCertificate } from '../formats/x509/certificate.ts';
import { readBootFile } from '../stores/boot-file.ts';
import { writeAhead } from '../stores/write-ahead.ts';
import { describeProgram } from '../uki/program.ts';

export interface SignBootProgramRequest {
  readonly input: string;
  readonly output: string;
  readonly signer: Signer;
  /** DER, the signer's own first. */
  readonly certificates: readonly Uint8Array[];
  readonly signingTime?: Date;
  /** Also signs programs that are not known to verify what they start. */
  readonly anyProgram?: boolean;
}

export interface SignedBootProgram {
  readonly output: string;
  readonly size: number;
  /** Subject of the certificate; untrusted text. */
  readonly signedBy: string;
  readonly authenticodeSha256: string;
  /** How many signatures the file has now. */
  readonly signatures: number;
  /** True when the certificate says that it is for tests. */
  readonly testKey: boolean;
}

/** Errors are those of signPe, `sign/not-a-boot-program`, `sign/signature-unusable` and `file/…`. */
export async function signBootProgram(request: SignBootProgramRequest): Promise<SignedBootProgram> {
  const input = await readBootFile(request.input);
  if (request.anyProgram !== true && describeProgram(input) === undefined) {
    // A signature on a program that starts anything opens the machine to anything (CVE-2024-7344).
    throw new BootsealError(
      'sign/not-a-boot-program',
      `${request.input} is no UKI, addon, systemd-boot or stub: nothing says that it verifies what it starts`,
      { hint: 'sign it with --any-program if you know that it does', exit: 2 },
    );
  }
  return signAndWrite(request, [input]);
}

/** Signs, verifies with the signer's own certificate, and only then gives the file its name. */
export async function signAndWrite(
  request: Pick<SignBootProgramRequest, 'output' | 'certificates' | 'signer' | 'signingTime'>,
  program: Parts,
): Promise<SignedBootProgram> {
  const { output } = request;
  const [certificate] = request.certificates;
  const signed = await writeAhead(output, program, async () => {
    const image = await signImage(program, request);
    const anchors = certificate === undefined ? [] : [certificate];
    const verdict = verifyPe(image.parts, { anchors, digest: image.digest });
    const own = verdict.signatures.findLast(({ accepted }) => accepted);
    if (own === undefined) {
      const reasons = verdict.reasons.map(({ message }) => message).join('; ');
      throw new BootsealError('sign/signature-unusable', `firmware would refuse this signature: ${reasons}`);
    }
    return { ...image, signedBy: own.subject ?? '', signatures: verdict.signatures.length };
  });
  return {
    output,
    size: partsLength(signed.parts),
    signedBy: signed.signedBy,
    authenticodeSha256: encodeHex(signed.digest),
    signatures: signed.signatures,
    testKey: certificate !== undefined && isTestCertificate(parseCertificate(certificate)),
  };
}

/** What a pattern can be refused for. */
import { BootsealError, isBootsealError } from '../../errors.ts';

/** No pattern of this engine's syntax; for the first engine the second is asked then. */
const BAD_PATTERN = 'composefs/bad-selinux-pattern';

export function isBadPattern(error: unknown): error is BootsealError {
  return isBootsealError(error) && error.code === BAD_PATTERN;
}

/** `offset` counts characters of the pattern as put together, with two before what the file says. */
export function badPattern(offset: number, what: string): BootsealError {
  return new BootsealError(
    'composefs/bad-selinux-pattern',
    `the pattern is wrong at character ${offset - 1}: ${what}`,
  );
}

/** What the real engine takes and this one cannot follow exactly. A digest must not rest on a guess. */
export function unsupportedPattern(offset: number, what: string): BootsealError {
  return new BootsealError(
    'composefs/selinux-pattern-unsupported',
    `a pattern with ${what} at character ${offset - 1} is not supported`,
    {
      hint: 'cfsctl or bootc can compute the digest of this image; write the pattern otherwise if it is yours',
    },
  );
}

export function tooComplex(what: string): BootsealError {
  return new BootsealError('composefs/selinux-too-complex', `the SELinux policy cannot be applied: ${what}`);
}

/** Whose image it shall be where the two programs that write composefs images differ. */
import { BootsealError } from '../errors.ts';
import type { ErofsDialect } from '../formats/erofs/format.ts';

/** `strict`: nobody's; what they would make different images of is refused. */
export type ImageRules = ErofsDialect;

/** What C `mkcomposefs` and composefs-rs make different images of. */
export function rulesDiffer(message: string, where: string): BootsealError {
  return new BootsealError('composefs/rules-differ', message, {
    where,
    hint: 'say whose rules to follow: --rules c, or --rules rust as bootc does',
  });
}

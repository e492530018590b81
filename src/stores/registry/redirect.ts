/** Where a reply may send us: the rules for redirects, upload locations and pages of a list. */
import { BootsealError } from '../../errors.ts';
import { isInternalAddress } from './address.ts';
import { safeText, safeUrl } from './redact.ts';

/** As browsers and curl bound them, roughly; a registry needs one. */
export const MAX_REDIRECTS = 5;

/** Longer than any signed storage URL. */
const MAX_LOCATION = 16_384;

/**
 * The target of `location`, seen from `from`. Refused (`registry/redirect-refused`): other schemes, https to http,
 * user or password in the URL, and an internal address on another host than we already talk to.
 */
export function followLocation(location: string | undefined, from: URL): URL {
  if (location === undefined || location === '') throw refused(from, 'the reply names no Location');
  if (location.length > MAX_LOCATION) throw refused(from, 'the Location is too long');
  let target: URL;
  try {
    target = new URL(location, from);
  } catch {
    throw refused(from, `${JSON.stringify(safeText(location))} is not a URL`);
  }
  if (target.protocol !== 'https:' && target.protocol !== 'http:') {
    throw refused(from, `${safeText(target.protocol)} is not http`);
  }
  if (from.protocol === 'https:' && target.protocol === 'http:')
    throw refused(from, `${safeUrl(target)} has no TLS`);
  if (target.username !== '' || target.password !== '')
    throw refused(from, 'the Location holds a user or password');
  if (target.hostname !== from.hostname && isInternalAddress(target.hostname)) {
    throw refused(from, `${safeUrl(target)} is an internal address`);
  }
  return target;
}

export function isSameOrigin(a: URL, b: URL): boolean {
  return a.origin === b.origin;
}

function refused(from: URL, why: string): BootsealError {
  return new BootsealError('registry/redirect-refused', `redirect from ${safeUrl(from)} refused: ${why}`, {
    hint: 'the registry, or a proxy before it, is set up wrongly or hostile; ask who runs it',
  });
}

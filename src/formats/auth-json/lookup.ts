/** Which entry of a credentials file belongs to an image, containers-auth.json(5). */
import type { AuthEntry, AuthFile } from './reader.ts';

/** What a file says about a repository: a helper to ask, an entry, or nothing. */
export type AuthMatch =
  | { readonly kind: 'helper'; readonly helper: string }
  | { readonly kind: 'entry'; readonly key: string; readonly entry: AuthEntry };

/**
 * `host` is `HOST[:PORT]`, `repository` is host and path. Order, as containers/image has it:
 * 1. `credHelpers[host]`; 2. exact keys, from the whole repository up to the host; 3. keys that are URLs or
 * other names of docker.io. Nothing matches by a part of a host's name.
 */
export function findAuth(file: AuthFile, host: string, repository: string): AuthMatch | undefined {
  const helper = file.credentialHelpers.get(host);
  if (helper !== undefined) return { kind: 'helper', helper };
  for (const key of file.legacy ? [host] : lookupKeys(host, repository)) {
    const entry = file.auths.get(key);
    if (entry !== undefined) return { kind: 'entry', key, entry };
  }
  for (const [key, entry] of file.auths) {
    if (normalKey(key, file.legacy) === normalHost(host)) return { kind: 'entry', key, entry };
  }
  return undefined;
}

/** `quay.io/a/b`, `quay.io/a`, `quay.io`. */
function lookupKeys(host: string, repository: string): string[] {
  const keys: string[] = [];
  for (let key = repository; key.length > host.length; key = key.slice(0, key.lastIndexOf('/')))
    keys.push(key);
  return [...keys, host];
}

function normalKey(key: string, legacy: boolean): string {
  const bare = key.replace(/^https?:\/\//, '');
  return normalHost(legacy || bare !== key ? bare.replace(/\/.*$/s, '') : bare);
}

function normalHost(host: string): string {
  return host === 'docker.io' || host === 'registry-1.docker.io' ? 'index.docker.io' : host;
}

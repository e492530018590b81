/** The part of `containers-storage:` names after the colon: `[DRIVER@ROOT+RUNROOT:OPTIONS]NAME:TAG@DIGEST@ID`. */
import { BootsealError } from '../../errors.ts';
import { isDigest } from '../oci/digest.ts';
import {
  formatReference,
  parseDockerReference,
  repositoryName,
  withDefaultTag,
  type DockerReference,
} from '../reference/docker-reference.ts';

export interface StorageReference {
  /** What the brackets say; both undefined without them. */
  readonly driver?: string;
  readonly root?: string;
  readonly named?: DockerReference;
  /** 64 hex digits, or fewer: the beginning of one. */
  readonly id?: string;
  /** The text after the brackets where it may as well be the beginning of an ID: the store knows. */
  readonly maybeId?: string;
}

const HEX = /^[0-9a-f]+$/;
/** Shorter ones are names: upstream's guess. */
const MIN_ID = 3;

/** Throws `containers-storage/bad-reference` and what {@link parseDockerReference} throws; usage errors. */
export function parseStorageReference(text: string): StorageReference {
  const { store, rest } = splitStore(text);
  if (rest === '') throw bad(text, 'names no image');
  if (rest.startsWith('[')) throw bad(text, 'may not begin with two brackets');
  const at = rest.lastIndexOf('@');
  if (at < 0) {
    const named = nameOf(rest);
    const maybeId = rest.length >= MIN_ID && HEX.test(rest) ? { maybeId: rest } : {};
    if (named === undefined && maybeId.maybeId === undefined) parseDockerReference(rest);
    return { ...store, ...(named && { named }), ...maybeId };
  }
  const last = rest.slice(at + 1);
  if (last === '') throw bad(text, 'ends with an empty digest or ID');
  if (isDigest(last)) return { ...store, named: parseDockerReference(rest) };
  if (!HEX.test(last) || last.length < MIN_ID || last.length > 64) {
    throw bad(text, `${JSON.stringify(last.slice(0, 100))} does not look like an image ID or digest`);
  }
  const before = rest.slice(0, at);
  return {
    ...store,
    id: last,
    ...(before !== '' && { named: withDefaultTag(parseDockerReference(before)) }),
  };
}

/**
 * What policies call an image of a store, most specific first: containers-policy.json(5). `root` without symbolic
 * links. The last two are the store and its root; the empty scope is not among them.
 */
export function storageScopes(
  driver: string,
  root: string,
  named: DockerReference | undefined,
  id: string | undefined,
): string[] {
  const store = `[${driver}@${root}]`;
  const scopes: string[] = [];
  const suffix = id === undefined ? '' : `@${id}`;
  if (named === undefined) {
    if (suffix !== '') scopes.push(store + suffix);
  } else {
    if (suffix !== '') scopes.push(store + formatReference(named) + suffix);
    scopes.push(store + formatReference(named));
    if (named.digest !== undefined && named.tag !== undefined) {
      scopes.push(`${store}${repositoryName(named)}:${named.tag}`);
    }
    for (
      let name = repositoryName(named);
      name !== '';
      name = name.slice(0, Math.max(0, name.lastIndexOf('/')))
    ) {
      scopes.push(store + name);
    }
  }
  return [...scopes, store, `[${root}]`];
}

function splitStore(text: string): {
  readonly store: { readonly driver?: string; readonly root?: string };
  readonly rest: string;
} {
  if (!text.startsWith('[')) return { store: {}, rest: text };
  const close = text.indexOf(']');
  if (close < 0) throw bad(text, 'has no closing bracket');
  // Options and the run folder are for those who mount.
  const [place] = text.slice(1, close).split(/[+:]/, 1);
  const at = place.indexOf('@');
  const driver = at < 0 ? undefined : place.slice(0, at);
  const root = place.slice(at + 1);
  if (driver === '') throw bad(text, 'names no driver before @');
  if (!root.startsWith('/')) throw bad(text, `${JSON.stringify(root.slice(0, 200))} is not an absolute path`);
  if (driver !== undefined && !/^[a-z0-9-]{1,32}$/.test(driver)) throw bad(text, 'names an odd driver');
  return { store: { ...(driver !== undefined && { driver }), root }, rest: text.slice(close + 1) };
}

function nameOf(text: string): DockerReference | undefined {
  // 64 hex digits are no name, and must not become an error before the store was asked.
  return /^[0-9a-f]{64}$/.test(text) ? undefined : withDefaultTag(parseDockerReference(text));
}

function bad(text: string, why: string): BootsealError {
  return new BootsealError(
    'containers-storage/bad-reference',
    `storage reference ${JSON.stringify(text.slice(0, 300))} ${why}`,
    { hint: 'write containers-storage:[DRIVER@/ROOT]NAME:TAG or containers-storage:@ID', exit: 2 },
  );
}

/** Which scopes a transport can have in a policy: containers-policy.json(5), as the code checks them. */

/**
 * Transports that bootseal knows no rule for take any scope, as unknown names do upstream. docker takes any text too.
 * The empty scope, everything of a transport, is valid everywhere.
 */
export function isValidScope(transport: string, scope: string): boolean {
  if (scope === '') return true;
  switch (transport) {
    case 'dir':
    case 'oci':
    case 'oci-archive':
    case 'sif':
      return isCleanPath(scope) && scope !== '/';
    case 'docker-archive':
    case 'tarball':
      return false;
    case 'docker-daemon':
      return !isDigestText(scope);
    case 'atomic':
      return ATOMIC_SCOPE.test(scope);
    case 'containers-storage':
      return isStorageScope(scope);
    default:
      return true;
  }
}

/** Absolute, and what Go's filepath.Clean would leave as it is: no empty, `.` or `..` part, no slash at the end. */
function isCleanPath(path: string): boolean {
  if (path === '/') return true;
  if (!path.startsWith('/')) return false;
  return path
    .slice(1)
    .split('/')
    .every((part) => part !== '' && part !== '.' && part !== '..');
}

function isDigestText(text: string): boolean {
  return /^(?:sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128})$/.test(text);
}

/** host, host/namespace, host/namespace/stream, host/namespace/stream:tag. */
const ATOMIC_SCOPE = /^[^/]*(?:\/[^:/]*){0,2}$|^[^/]*\/[^:/]*\/[^:/]*:[^:/]*$/;

/** `[driver@root]` and, after it, a name, an image ID or both: `[overlay@/root]name@id`. */
function isStorageScope(scope: string): boolean {
  if (!scope.startsWith('[')) return false;
  const close = scope.indexOf(']');
  if (close < 0) return false;
  const store = scope.slice(1, close);
  const at = store.indexOf('@');
  if (at === 0) return false;
  if (!store.slice(at + 1).startsWith('/')) return false;
  // After the name at most a digest and an image ID, or one of the two.
  const suffixes = scope
    .slice(close + 1)
    .split('@')
    .slice(1);
  if (suffixes.length === 2) return isDigestText(suffixes[0]) && IMAGE_ID.test(suffixes[1]);
  return (
    suffixes.length === 0 ||
    (suffixes.length === 1 && (isDigestText(suffixes[0]) || IMAGE_ID.test(suffixes[0])))
  );
}

const IMAGE_ID = /^[a-f0-9]{64}$/;

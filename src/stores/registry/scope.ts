/** Token scopes: what a token may do, distribution "Token Scope Documentation". */

export type Action = 'pull' | 'push' | 'delete';

export interface Scope {
  /** Repository path without the host. */
  readonly path: string;
  readonly actions: readonly Action[];
}

/** `repository:PATH:pull,push`. The path has been checked when the reference was parsed. */
export function formatScope(scope: Scope): string {
  return `repository:${scope.path}:${scope.actions.join(',')}`;
}

/** One key for tokens that may stand for each other. */
export function scopeKey(scopes: readonly Scope[]): string {
  return scopes.map(formatScope).toSorted().join(' ');
}

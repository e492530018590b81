/** Where the keys of a requirement come from: files or the policy itself. */
import type { KeySource } from './policy.ts';

/** An empty path says nothing: undefined. */
export function pathSource(member: string, path: string): KeySource | undefined {
  return path === '' ? undefined : { kind: 'paths', member, paths: [path] };
}

export function pathsSource(member: string, paths: readonly string[] | undefined): KeySource | undefined {
  return paths && { kind: 'paths', member, paths };
}

/** Empty data is a key that cannot be read, found out when it is used; only null says nothing. */
export function dataSource(member: string, data: Uint8Array | undefined): KeySource | undefined {
  return data && { kind: 'data', member, data: [data] };
}

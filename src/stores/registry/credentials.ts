/** Finding the credentials for a repository, in the order of containers-auth.json(5). */
import { readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { BootsealError, isBootsealError, withDetails } from '../../errors.ts';
import { findAuth } from '../../formats/auth-json/lookup.ts';
import {
  MAX_AUTH_FILE,
  parseAuthFile,
  type AuthEntry,
  type AuthFile,
} from '../../formats/auth-json/reader.ts';
import { AUTH_FILES } from '../../formats/registries-conf/config.ts';
import { systemCode } from '../file-errors.ts';

/** Starting programs is for those who have helpers. */
async function ask(helper: string, host: string): Promise<AuthEntry | undefined> {
  return (await import('./credential-helper.ts')).askHelper(helper, host);
}

interface AuthPath {
  readonly path: string;
  readonly legacy?: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * `host` is `HOST[:PORT]` as in the image name, `repository` host and path. A file given by name
 * (`authFile` or REGISTRY_AUTH_FILE) is the only one read. `helpers` are those of registries.conf, in their order.
 * Undefined means: ask without credentials.
 */
export async function findCredentials(
  host: string,
  repository: string,
  authFile: string | undefined,
  environment: Environment = process.env,
  helpers: readonly string[] = [AUTH_FILES],
): Promise<AuthEntry | undefined> {
  let failure: { readonly error: unknown } | undefined;
  for (const helper of helpers) {
    try {
      const entry =
        helper === AUTH_FILES
          ? await fromFiles(host, repository, authFile, environment)
          : await ask(helper, host);
      if (entry) return entry;
    } catch (error) {
      // Another may know: what went wrong is told when none does.
      if (!isBootsealError(error)) throw error;
      failure ??= { error };
    }
  }
  if (failure !== undefined) throw failure.error;
  return undefined;
}

async function fromFiles(
  host: string,
  repository: string,
  authFile: string | undefined,
  environment: Environment,
): Promise<AuthEntry | undefined> {
  for (const { path, legacy } of authPaths(authFile, environment)) {
    const file = await readAuthFile(path, legacy === true, authFile !== undefined);
    const match = file && findAuth(file, host, repository);
    if (match === undefined) continue;
    const entry = match.kind === 'entry' ? match.entry : await ask(match.helper, host);
    // An entry without anything in it is a place holder of another program.
    if (entry && (entry.username !== '' || entry.identityToken !== undefined)) return entry;
  }
  return undefined;
}

/** Files that may hold credentials, first match wins. */
export function authPaths(authFile: string | undefined, environment: Environment): AuthPath[] {
  const chosen = authFile ?? nonEmpty(environment['REGISTRY_AUTH_FILE']);
  if (chosen !== undefined) return [{ path: chosen }];
  const home = nonEmpty(environment['HOME']) ?? homedir();
  const runtime = nonEmpty(environment['XDG_RUNTIME_DIR']);
  const first =
    runtime !== undefined
      ? join(runtime, 'containers/auth.json')
      : process.platform === 'linux'
        ? `/run/containers/${process.getuid?.() ?? 0}/auth.json`
        : join(home, '.config/containers/auth.json');
  const config = nonEmpty(environment['XDG_CONFIG_HOME']) ?? join(home, '.config');
  const docker = nonEmpty(environment['DOCKER_CONFIG']) ?? join(home, '.docker');
  return [
    { path: first },
    { path: join(config, 'containers/auth.json') },
    { path: join(docker, 'config.json') },
    { path: join(home, '.dockercfg'), legacy: true },
  ];
}

/** Undefined where there is no file; one that was asked for by name must be there. */
async function readAuthFile(path: string, legacy: boolean, required: boolean): Promise<AuthFile | undefined> {
  try {
    if ((await stat(path)).size > MAX_AUTH_FILE) {
      throw new BootsealError('auth/malformed', `file exceeds ${MAX_AUTH_FILE} bytes`, {
        hint: 'this is no credentials file; check --authfile and REGISTRY_AUTH_FILE',
      });
    }
    return parseAuthFile(await readFile(path), legacy);
  } catch (error) {
    if (isBootsealError(error)) throw withDetails(error, { where: path });
    const code = systemCode(error);
    if (!required && (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EACCES')) return undefined;
    throw new BootsealError('auth/cannot-read', `cannot read ${path}: ${(error as Error).message}`, {
      hint: 'check --authfile and REGISTRY_AUTH_FILE',
      cause: error,
    });
  }
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

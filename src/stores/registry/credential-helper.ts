/** Programs `docker-credential-NAME`, which keep credentials in a key ring. */
import { spawn } from 'node:child_process';
import { decodeUtf8 } from '../../bytes/bytes.ts';
import { BootsealError } from '../../errors.ts';
import { checkHelperName, type AuthEntry } from '../../formats/auth-json/reader.ts';

/** A user name that says that the secret is an identity token. */
const TOKEN_USER = '<token>';
/** What helpers print when they know nothing of the host. */
const NOT_FOUND = 'credentials not found in native keychain';

const MAX_OUTPUT = 1024 * 1024;
/** Milliseconds: a helper may ask its user to unlock the key ring. */
const PATIENCE = 60_000;

/**
 * Asks the helper for the credentials of a host; undefined where it has none. Throws `auth/bad-helper`,
 * `auth/helper-missing`, `auth/helper-timeout`, `auth/helper-failed`.
 */
export async function askHelper(
  name: string,
  host: string,
  patience: number = PATIENCE,
): Promise<AuthEntry | undefined> {
  const program = `docker-credential-${checkHelperName(name)}`;
  const { status, output } = await run(program, `${host}\n`, patience);
  const text = decodeUtf8(output)?.trim();
  if (text === NOT_FOUND) return undefined;
  // Its output may hold the secret: no message repeats it.
  if (status !== 0 || text === undefined) throw failed(program, `ended with status ${status}`);
  let reply: { readonly Username?: unknown; readonly Secret?: unknown } | null;
  try {
    reply = JSON.parse(text) as typeof reply;
  } catch {
    throw failed(program, 'printed no JSON');
  }
  const { Username: username, Secret: secret } = reply ?? {};
  if (typeof username !== 'string' || typeof secret !== 'string')
    throw failed(program, 'printed no Username and Secret');
  if (username === TOKEN_USER) return { username: '', password: '', identityToken: secret };
  return { username, password: secret };
}

function run(
  program: string,
  input: string,
  patience: number,
): Promise<{ status: number | null; output: Uint8Array }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, ['get'], { stdio: ['pipe', 'pipe', 'ignore'], detached: true });
    const parts: Buffer[] = [];
    let length = 0;
    // The helper may have started others that keep the pipe open: the whole group ends.
    const end = (error: BootsealError): void => {
      if (child.pid !== undefined) killGroup(child.pid);
      child.stdout.destroy();
      reject(error);
    };
    const timer = setTimeout(() => {
      end(
        new BootsealError('auth/helper-timeout', `${program} did not answer within ${patience / 1000} s`, {
          hint: 'unlock the key ring, or remove the helper from credHelpers',
        }),
      );
    }, patience);
    child.on('error', (cause) => {
      clearTimeout(timer);
      reject(
        new BootsealError('auth/helper-missing', `cannot run ${program}`, {
          hint: `install ${program}, or remove it from credHelpers`,
          cause,
        }),
      );
    });
    child.stdout.on('data', (part: Buffer) => {
      length += part.length;
      if (length > MAX_OUTPUT) end(failed(program, `printed more than ${MAX_OUTPUT} bytes`));
      else parts.push(part);
    });
    child.on('close', (status) => {
      clearTimeout(timer);
      resolve({ status, output: Buffer.concat(parts) });
    });
    // A helper that ends without reading must not end us.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}

function failed(program: string, why: string): BootsealError {
  return new BootsealError('auth/helper-failed', `${program} ${why}`, {
    hint: `run \`echo HOST | ${program} get\` to see why`,
  });
}

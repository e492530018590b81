/**
 * The user's own `gpg`: its secret keys never come to us, and neither does the PIN of a smart card. What it says is read
 * from its status lines alone (doc/DETAILS of GnuPG), which nothing in the data can forge.
 */
import { spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { concatBytes, decodeUtf8 } from '../../bytes/bytes.ts';
import { escapeText } from '../../bytes/printable.ts';
import { BootsealError } from '../../errors.ts';

export interface GpgOptions {
  /** GNUPGHOME and PATH are heeded. */
  readonly env?: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal;
}

export interface GpgSignOptions extends GpgOptions {
  /** Given through a pipe. Left out, the agent asks for it, or knows it already. */
  readonly passphrase?: Uint8Array;
}

/** Exported keys, and signed messages, are far smaller. */
const MAX_OUTPUT = 8 * 1024 * 1024;

/** The public keys that `key` names: a fingerprint, a key ID or a user ID; all of them without one. */
export async function exportPublicKeys(key: string | undefined, options: GpgOptions): Promise<Uint8Array> {
  const names = key === undefined ? [] : [checkKeyName(key)];
  const { status, output, stderr } = await run(['--no-armor', '--export', '--', ...names], {}, options);
  if (status !== 0) throw failed('cannot export public keys', stderr);
  return output;
}

/**
 * A binary message with one signature over `content`, compressed as GnuPG does it. Throws `gpg/missing`,
 * `gpg/no-secret-key`, `gpg/wrong-passphrase`, `gpg/failed`. No error holds the passphrase.
 */
export async function signMessage(
  content: Uint8Array,
  key: string,
  options: GpgSignOptions,
): Promise<Uint8Array> {
  const { passphrase } = options;
  if (passphrase?.includes(0x0a) === true) {
    throw new BootsealError('gpg/bad-passphrase', 'a passphrase for gpg cannot hold a newline', { exit: 2 });
  }
  const { status, output, statusLines, stderr } = await run(
    [
      ...(passphrase === undefined ? [] : ['--pinentry-mode', 'loopback', '--passphrase-fd', '4']),
      // Whatever the user's gpg.conf prefers: peers read no armor, and not all of them bzip2.
      '--no-armor',
      '--compress-algo',
      'zip',
      '--local-user',
      checkKeyName(key),
      '--sign',
    ],
    { input: content, ...(passphrase && { passphrase }) },
    options,
  );
  const created = statusLines.filter(({ keyword }) => keyword === 'SIG_CREATED');
  if (status === 0 && created.length === 1) return output;
  throw signFailure(statusLines, key, stderr);
}

interface StatusLine {
  readonly keyword: string;
  readonly args: readonly string[];
}

interface GpgResult {
  readonly status: number | null;
  readonly output: Uint8Array;
  readonly statusLines: readonly StatusLine[];
  readonly stderr: string;
}

function run(
  args: readonly string[],
  input: { readonly input?: Uint8Array; readonly passphrase?: Uint8Array },
  { env = process.env, signal }: GpgOptions,
): Promise<GpgResult> {
  return new Promise((resolve, reject) => {
    const child = spawn('gpg', ['--batch', '--no-tty', '--status-fd', '3', ...args], {
      // Words for people are in the user's language; ours go by the status lines.
      env: { ...env, LC_ALL: 'C' },
      stdio: ['pipe', 'pipe', 'pipe', 'pipe', 'pipe'],
      ...(signal && { signal }),
    });
    const [stdin, stdout, stderr, status, passphrase] = child.stdio as [
      Writable,
      Readable,
      Readable,
      Readable,
      Writable,
    ];
    const output = collect(stdout, () => child.kill('SIGKILL'));
    const errors = collect(stderr, () => child.kill('SIGKILL'));
    const lines = collect(status, () => child.kill('SIGKILL'));
    // It may end without reading; that must not end us.
    for (const pipe of [stdin, passphrase]) pipe.on('error', () => undefined);
    passphrase.end(input.passphrase === undefined ? undefined : concatBytes([input.passphrase, NEWLINE]));
    stdin.end(input.input);
    child.on('error', (cause) => {
      if (signal?.aborted === true) reject(signal.reason as Error);
      else reject(missing(cause));
    });
    child.on('close', (code) => {
      resolve({
        status: code,
        output: concatBytes(output),
        statusLines: parseStatus(Buffer.concat(lines).toString('latin1')),
        stderr: decodeUtf8(concatBytes(errors)) ?? '',
      });
    });
  });
}

const NEWLINE = Uint8Array.of(0x0a);

function collect(stream: Readable, stop: () => void): Uint8Array[] {
  const parts: Uint8Array[] = [];
  let length = 0;
  stream.on('data', (part: Buffer) => {
    length += part.length;
    if (length > MAX_OUTPUT) stop();
    else parts.push(part);
  });
  return parts;
}

function parseStatus(text: string): StatusLine[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\[GNUPG:\] ([A-Z_]+)(?: (.*))?$/.exec(line);
    return match === null ? [] : [{ keyword: match[1], args: (match[2] ?? '').split(' ') }];
  });
}

/** Codes of libgpg-error, in the lower half of the number. */
const BAD_PASSPHRASE = 11;
const NO_SECRET_KEY = 17;
const NO_PASSPHRASE = 31;
const CANCELED = 99;

function signFailure(lines: readonly StatusLine[], key: string, stderr: string): BootsealError {
  const codes = lines
    .filter(({ keyword }) => keyword === 'FAILURE' || keyword === 'ERROR')
    .map(({ args }) => Number(args[1]) & 0xffff);
  if (lines.some(({ keyword }) => keyword === 'INV_SGNR') || codes.includes(NO_SECRET_KEY)) {
    return new BootsealError('gpg/no-secret-key', `gpg has no usable secret key ${JSON.stringify(key)}`, {
      exit: 2,
      hint: 'list what it has: gpg --list-secret-keys; a key that has expired or is revoked cannot sign',
    });
  }
  if (codes.includes(BAD_PASSPHRASE) || codes.includes(NO_PASSPHRASE) || codes.includes(CANCELED)) {
    return new BootsealError(
      'gpg/wrong-passphrase',
      `gpg did not get the passphrase of ${JSON.stringify(key)}`,
      {
        hint: 'give it with --sign-passphrase-file FILE, or unlock the key in gpg-agent',
      },
    );
  }
  return failed(`gpg could not sign with ${JSON.stringify(key)}`, stderr);
}

function failed(what: string, stderr: string): BootsealError {
  const last = stderr.trimEnd().split('\n').at(-1) ?? '';
  return new BootsealError(
    'gpg/failed',
    `${what}${last === '' ? '' : `: ${escapeText(last.slice(0, 300))}`}`,
    {
      hint: 'try it by hand: echo test | gpg --sign --local-user KEY > /dev/null',
    },
  );
}

function missing(cause: unknown): BootsealError {
  return new BootsealError('gpg/missing', 'cannot run gpg', {
    cause,
    hint: 'install GnuPG: apt-get install gnupg, or dnf install gnupg2',
  });
}

/** What gpg takes as the name of a key. It is an argument of its own, and never one that looks like an option. */
function checkKeyName(key: string): string {
  // oxlint-disable-next-line no-control-regex
  if (key !== '' && key.length <= 200 && !key.startsWith('-') && !/[\u0000-\u001f\u007f]/.test(key))
    return key;
  throw new BootsealError('gpg/bad-key-name', `not the name of a key: ${JSON.stringify(key.slice(0, 60))}`, {
    exit: 2,
    hint: 'give the fingerprint: gpg --list-secret-keys --with-colons',
  });
}

/** Kernel arguments that an image brings along: `/usr/lib/bootc/kargs.d/*.toml`, by bootc's rules. */
import { parse, TomlError } from 'smol-toml';
import { array, optional, safeParse, strictObject, string } from 'valibot';
import { compareBytes, decodeUtf8, encodeUtf8 } from '../bytes/bytes.ts';
import { BootsealError } from '../errors.ts';

/** A kargs.d file is a few lines; the kernel reads at most 4 KiB of arguments. */
const MAX_FILE_BYTES = 64 * 1024;

export interface KargsFile {
  /** File name, or path: it decides the order and appears in errors. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** bootc refuses unknown keys, so that a misspelt one does not drop arguments unseen. */
const KargsToml = strictObject({
  kargs: array(string()),
  'match-architectures': optional(array(string())),
});

/**
 * The arguments of all files that apply to `architecture` (as Rust names it: `x86_64`, `aarch64`), in the order of
 * the file names. Other than `.toml` files are left out. Errors are `kargs/…` with the file, line and column.
 */
export function kargsFromToml(files: readonly KargsFile[], architecture: string): string[] {
  return files
    .filter((file) => file.name.endsWith('.toml'))
    .toSorted((a, b) => compareBytes(encodeUtf8(a.name), encodeUtf8(b.name)))
    .flatMap((file) => kargsOf(file, architecture));
}

function kargsOf(file: KargsFile, architecture: string): string[] {
  if (file.bytes.length > MAX_FILE_BYTES) {
    throw new BootsealError('kargs/too-large', `more than ${MAX_FILE_BYTES} bytes`, { where: file.name });
  }
  const text = decodeUtf8(file.bytes);
  if (text === undefined)
    throw new BootsealError('kargs/not-utf8', 'the file is not UTF-8', { where: file.name });
  const result = safeParse(KargsToml, parseToml(file.name, text));
  if (!result.success) {
    const [issue] = result.issues;
    const key = issue.path?.map((part) => String(part.key)).join('.') ?? '';
    throw new BootsealError('kargs/bad-value', `${key}: ${issue.message}`, {
      where: file.name,
      hint: 'allowed are kargs (list of strings, required) and match-architectures (list of strings)',
    });
  }
  const { kargs, 'match-architectures': architectures } = result.output;
  for (const karg of kargs) {
    // oxlint-disable-next-line no-control-regex -- these would end the command line, or split it unseen
    if (/[\0-\u001f\u007f]/.test(karg)) {
      throw new BootsealError('kargs/bad-value', 'an argument holds a control character', {
        where: file.name,
      });
    }
  }
  if (architectures !== undefined && !architectures.includes(architecture)) return [];
  return kargs;
}

function parseToml(name: string, text: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [message = 'not TOML'] = error.message.split('\n');
    throw new BootsealError('kargs/syntax', message, {
      where: `${name}:${error.line}:${error.column}`,
      cause: error,
    });
  }
}

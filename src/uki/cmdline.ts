/**
 * Kernel command lines: words separated by white space, where double quotes protect spaces
 * (Documentation/admin-guide/kernel-parameters.rst).
 */
import { decodeUtf8 } from '../bytes/bytes.ts';
import { BootsealError } from '../errors.ts';
import { splitWords } from './python-text.ts';

/** COMMAND_LINE_SIZE is 2048 on x86 and at most 4096 elsewhere; a section may hold more, a kernel reads no more. */
const MAX_CMDLINE = 64 * 1024;

export interface KernelArgument {
  readonly name: string;
  /** Without the quotes around it; undefined when there is no `=`. */
  readonly value: string | undefined;
}

/** The arguments, in order. A quote left open reaches to the end, as in the kernel. */
export function parseCmdline(text: string): KernelArgument[] {
  if (text.length > MAX_CMDLINE) {
    throw new BootsealError('uki/cmdline-too-long', `a command line of more than ${MAX_CMDLINE} characters`);
  }
  return splitArguments(text).map((word) => {
    // The kernel takes one pair of quotes off: around the whole word, or around the value.
    const quoted = word.startsWith('"');
    const bare = quoted ? word.replace(/^"/, '').replace(/"$/, '') : word;
    const equals = bare.indexOf('=');
    if (equals < 0) return { name: bare, value: undefined };
    const value = bare.slice(equals + 1);
    return { name: bare.slice(0, equals), value: quoted ? value : value.replace(/^"(.*?)"?$/s, '$1') };
  });
}

/** What `--cmdline TEXT` of ukify stores: words joined by one space; quotes protect nothing. */
export function normaliseCmdline(text: string): string {
  return splitWords(text).join(' ');
}

export interface ComposefsKarg {
  /** Lower-case hexadecimal, 64 digits (SHA-256) or 128 (SHA-512). */
  readonly digest: string;
  /** Written with `?`: the system boots even where nothing verifies the digest. Not sealed. */
  readonly optional: boolean;
}

/**
 * The root digest that a command line demands: `composefs=DIGEST`, `composefs=?DIGEST`, or composefs-rs's
 * `composefs.digest=[?]FORMAT:DIGEST`. Two that differ, or one that is no digest, are an error: which of them
 * counts would be up to the initrd.
 */
export function composefsKarg(cmdline: string | Uint8Array): ComposefsKarg | undefined {
  const text = typeof cmdline === 'string' ? cmdline : decodeUtf8(cmdline);
  if (text === undefined)
    throw new BootsealError('uki/bad-cmdline', 'the command line is not UTF-8', { exit: 1 });
  // Everything behind a zero byte is invisible to the kernel, but not to other readers.
  // oxlint-disable-next-line no-control-regex -- trailing zero bytes are padding
  const visible = text.replace(/\0+$/, '');
  if (visible.includes('\0')) {
    throw new BootsealError('uki/bad-cmdline', 'the command line holds a zero byte', { exit: 1 });
  }
  let found: ComposefsKarg | undefined;
  for (const { name, value } of parseCmdline(visible)) {
    if (name !== 'composefs' && name !== 'composefs.digest') continue;
    const karg = parseDigest(name, value ?? '');
    if (found !== undefined && (found.digest !== karg.digest || found.optional !== karg.optional)) {
      throw new BootsealError(
        'uki/composefs-ambiguous',
        'the command line names two different composefs digests',
        {
          exit: 1,
        },
      );
    }
    found = karg;
  }
  return found;
}

function parseDigest(name: string, value: string): ComposefsKarg {
  const optional = value.startsWith('?');
  const rest = optional ? value.slice(1) : value;
  const match =
    name === 'composefs'
      ? /^()([0-9a-f]{64}|[0-9a-f]{128})$/.exec(rest)
      : /^v[12]-(sha256|sha512)-12:([0-9a-f]+)$/.exec(rest);
  const [, algorithm, digest] = match ?? [];
  const wanted = algorithm === 'sha256' ? 64 : algorithm === 'sha512' ? 128 : digest?.length;
  if (digest === undefined || digest.length !== wanted) {
    throw new BootsealError('uki/bad-composefs-karg', `${name}= does not hold a digest`, { exit: 1 });
  }
  return { digest, optional };
}

function splitArguments(text: string): string[] {
  const words: string[] = [];
  let word = '';
  let quoted = false;
  for (const character of text) {
    if (character === '"') quoted = !quoted;
    if (!quoted && /[\t-\r ]/.test(character)) {
      if (word !== '') words.push(word);
      word = '';
    } else {
      word += character;
    }
  }
  if (word !== '') words.push(word);
  return words;
}

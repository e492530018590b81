/**
 * Parses the files of a policy: file_contexts (see file_contexts(5)) and the maps of aliases, as strictly as
 * composefs-rs does.
 */
import { encodeUtf8 } from '../../bytes/bytes.ts';
import { BootsealError } from '../../errors.ts';
import type { PolicyFile, PolicyFiles } from './config.ts';
import { lines, words } from './lines.ts';
import type { Spec } from './matcher.ts';

/** Fedora's policy has 6,500. Each is compiled. */
const MAX_SPECS = 200_000;
const MAX_ALIASES = 200_000;
/** PATH_MAX: nothing of an image has a longer path. */
const MAX_ALIAS = 4096;

const TYPES = ['-b', '-c', '-d', '-p', '-l', '-s', '--'];
/** In place of a context: no label. */
const NO_LABEL = '<<none>>';

export interface FileContext extends Spec {
  /** The label, as it is stored: without a NUL at its end. Undefined for none. */
  readonly context: Uint8Array | undefined;
}

export interface FileContexts {
  readonly specs: readonly FileContext[];
  /** Paths that are looked up under another one; both a byte a character. */
  readonly aliases: ReadonlyMap<string, string>;
}

/** Throws `composefs/bad-selinux-policy` with file and line. */
export function parseFileContexts(files: PolicyFiles): FileContexts {
  const specs: FileContext[] = [];
  const aliases = new Map<string, string>();
  const contexts = new Map<string, Uint8Array>();
  for (const file of files.specs) {
    for (const { fields, where } of fieldsOf(file)) {
      // 1. PATTERN [-TYPE] CONTEXT. The type is one more character behind the path.
      const [regex, second, third] = fields;
      if (second === undefined) throw bad(where, 'a pattern without a context');
      const typed = second.startsWith('-');
      if (typed && !TYPES.includes(second)) throw bad(where, `no file type: ${second}`);
      const context = typed ? third : second;
      if (context === undefined) throw bad(where, 'a pattern and a type without a context');
      if (fields.length > (typed ? 3 : 2)) throw bad(where, 'too many fields');
      let label = contexts.get(context);
      if (label === undefined) contexts.set(context, (label = encodeUtf8(context)));
      specs.push({
        pattern: typed ? `^(${regex})${second[1]}$` : `^(${regex}).$`,
        context: context === NO_LABEL ? undefined : label,
        where,
      });
      if (specs.length > MAX_SPECS) throw bad(where, `more than ${MAX_SPECS} patterns`);
    }
  }
  for (const file of files.aliases) {
    for (const { fields, where } of fieldsOf(file)) {
      // 2. ALIAS ORIGINAL; a later line replaces an earlier one.
      const [alias, original] = fields;
      if (original === undefined) throw bad(where, 'an alias without a path');
      if (fields.length > 2) throw bad(where, 'too many fields');
      if (original.length > MAX_ALIAS) throw bad(where, `a path of more than ${MAX_ALIAS} bytes`);
      aliases.set(latin1(alias), latin1(original));
      if (aliases.size > MAX_ALIASES) throw bad(where, `more than ${MAX_ALIASES} aliases`);
    }
  }
  return { specs, aliases };
}

interface Fields {
  readonly fields: readonly string[];
  readonly where: string;
}

function* fieldsOf({ path, bytes }: PolicyFile): Generator<Fields, void, undefined> {
  for (const { number, text } of lines(bytes)) {
    const where = `${path}:${number}`;
    if (text === undefined) throw bad(where, 'a line is not UTF-8');
    const fields = words(text);
    if (fields.length > 0 && !fields[0].startsWith('#')) yield { fields, where };
  }
}

function latin1(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

function bad(where: string, what: string): BootsealError {
  return new BootsealError('composefs/bad-selinux-policy', `the SELinux policy has ${what}`, {
    where,
    hint: 'composefs-rs refuses such a policy as well; mend the line',
  });
}

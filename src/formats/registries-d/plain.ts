/**
 * The files of registries.d that nearly everybody has: block mappings of plain keys, one level in another, and nothing
 * of what makes YAML large. Read without the YAML package, whose loading takes longer than all the rest of judging an
 * image. Whatever is not exactly of this form, faulty files too, is left to the reader.
 */
import { MAX_REGISTRIES_FILE_SIZE, type RegistriesFile, type Section } from './config.ts';

interface PlainMap {
  readonly indent: number;
  readonly entries: Map<string, PlainMap | PlainText | null>;
}

interface PlainText {
  readonly text: string;
  readonly quoted: boolean;
}

/** A plain key has no colon before a space, and starts with nothing that means something to YAML. */
const KEY = /^(?:([A-Za-z0-9](?:[A-Za-z0-9._/@+-]|:(?=[A-Za-z0-9]))*)|"([^"\\]*)"|'([^']*)'):(?: +(.*))?$/;
const VALUE = /^(?:([A-Za-z0-9/~](?:[A-Za-z0-9._/@%?=&~+-]|:(?=[A-Za-z0-9/]))*)|"([^"\\]*)"|'([^']*)')$/;
const PLAIN_TEXT = /^[\n -~]*$/;

/** Undefined where the file needs the reader. Never throws. */
export function readPlainRegistriesFile(bytes: Uint8Array, file: string): RegistriesFile | undefined {
  if (bytes.length > MAX_REGISTRIES_FILE_SIZE) return undefined;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  const top = PLAIN_TEXT.test(text) ? readLines(text) : undefined;
  if (top === undefined) return undefined;
  const namespaces = new Map<string, Section>();
  const docker = top.get('docker') ?? null;
  if (docker !== null) {
    if (!('entries' in docker)) return undefined;
    for (const [namespace, value] of docker.entries) {
      const section = readSection(value ?? { indent: 0, entries: new Map() });
      if (section === undefined) return undefined;
      namespaces.set(namespace, section);
    }
  }
  const given = top.get('default-docker') ?? null;
  const defaultDocker = given === null ? undefined : readSection(given);
  if (given !== null && defaultDocker === undefined) return undefined;
  return { file, ...(defaultDocker && { defaultDocker }), docker: namespaces };
}

function readLines(text: string): PlainMap['entries'] | undefined {
  const stack: PlainMap[] = [{ indent: 0, entries: new Map() }];
  const top = stack[0].entries;
  /** A key whose value, a mapping, may stand in the lines below. */
  let awaiting: string | undefined;
  for (const line of text.split('\n')) {
    const indent = line.length - line.trimStart().length;
    const content = line.slice(indent).trimEnd();
    if (content === '' || content.startsWith('#')) continue;
    const match = KEY.exec(content);
    if (match === null) return undefined;
    const key = match[1] ?? match[2] ?? match[3];
    const rest = (match[4] ?? '').replace(/^#.*| +#.*/, '').trimEnd();
    let open = stack[stack.length - 1];
    if (indent > open.indent) {
      if (awaiting === undefined) return undefined;
      const inner: PlainMap = { indent, entries: new Map() };
      open.entries.set(awaiting, inner);
      stack.push(inner);
      open = inner;
    }
    while (indent < open.indent && stack.length > 1) {
      stack.pop();
      open = stack[stack.length - 1];
    }
    if (indent !== open.indent || open.entries.has(key)) return undefined;
    awaiting = undefined;
    if (rest === '') {
      awaiting = key;
      open.entries.set(key, null);
    } else {
      const value = VALUE.exec(rest);
      if (value === null) return undefined;
      const quoted = value[1] === undefined;
      open.entries.set(key, { text: value[1] ?? value[2] ?? value[3], quoted });
    }
  }
  return top;
}

function readSection(value: PlainMap | PlainText): Section | undefined {
  if (!('entries' in value)) return undefined;
  const texts: Record<'lookaside' | 'lookaside-staging' | 'sigstore' | 'sigstore-staging', string> = {
    lookaside: '',
    'lookaside-staging': '',
    sigstore: '',
    'sigstore-staging': '',
  };
  let attachments: boolean | undefined;
  for (const [key, setting] of value.entries) {
    if (setting === null) continue;
    const text = 'entries' in setting || (!setting.quoted && isNull(setting.text)) ? undefined : setting.text;
    if (Object.hasOwn(texts, key)) {
      if (text === undefined) return undefined;
      texts[key as keyof typeof texts] = text;
    } else if (key === 'use-sigstore-attachments') {
      if (text === undefined || 'entries' in setting || setting.quoted) return undefined;
      if (text !== 'true' && text !== 'false') return undefined;
      attachments = text === 'true';
    }
  }
  return {
    lookaside: texts.lookaside,
    lookasideStaging: texts['lookaside-staging'],
    sigstore: texts.sigstore,
    sigstoreStaging: texts['sigstore-staging'],
    ...(attachments !== undefined && { useSigstoreAttachments: attachments }),
  };
}

function isNull(text: string): boolean {
  return /^(?:~|null|Null|NULL)$/.test(text);
}

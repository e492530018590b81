/** Job `uki build`: a UKI, an addon or a profile from files, with ukify's options. Signed when a key is given. */
import { join } from 'node:path';
import { readdir } from 'node:fs/promises';
import { decodeUtf8, encodeUtf8 } from '../bytes/bytes.ts';
import { gatherParts, partsLength, type Parts } from '../bytes/rope.ts';
import { BootsealError } from '../errors.ts';
import { signPe, type Signer } from '../formats/authenticode/sign.ts';
import type { EfiArchitecture } from '../formats/pe/format.ts';
import { readPe } from '../formats/pe/reader.ts';
import { signAndWrite } from './sign-boot-program.ts';
import { writeFileAtomic } from '../stores/atomic-write.ts';
import { readBootFile } from '../stores/boot-file.ts';
import { fileError } from '../stores/trust-files/read-file.ts';
import { zstdDecoder } from '../stores/zstd/decoder.ts';
import { assembleUki } from '../uki/assemble.ts';
import { normaliseCmdline } from '../uki/cmdline.ts';
import { encodeFirmware } from '../uki/firmware.ts';
import { isProgram, loadableKernel, unameOf } from '../uki/kernel.ts';
import { readProfileFile } from '../uki/profiles.ts';
import type { NamedSection, UkiSections } from '../uki/sections.ts';
import { checkSplash } from '../uki/splash.ts';

/** Paths, and texts where `@PATH` means the contents of that file. */
export interface UkiFileRequest {
  readonly stub: string;
  readonly output: string;
  readonly linux?: string;
  readonly initrd?: readonly string[];
  /** A text is split at white space and joined by single spaces; a file is taken as it is. */
  readonly cmdline?: string;
  readonly osRelease?: string;
  /** Read from the kernel when absent; none when empty. */
  readonly uname?: string;
  readonly sbat?: readonly string[];
  readonly microcode?: string;
  readonly splash?: string;
  readonly devicetree?: string;
  readonly devicetreeAuto?: readonly string[];
  /** Directories with one firmware image each; the name of the directory is the identifier. */
  readonly efifw?: readonly string[];
  /** `NAME:TEXT` or `NAME:@PATH`. */
  readonly section?: readonly string[];
  readonly profile?: string;
  readonly joinProfile?: readonly string[];
  readonly pcrpkey?: string;
  readonly architecture?: EfiArchitecture;
  readonly key?: { readonly signer: Signer; readonly certificates: readonly Uint8Array[] };
  /** Signs the kernel inside as well, for stubs that load it as a program of its own. */
  readonly signKernel?: boolean;
  readonly warn?: (message: string) => void;
}

export interface UkiFile {
  readonly output: string;
  readonly size: number;
  readonly signedBy?: string;
}

export async function buildUkiFile(request: UkiFileRequest): Promise<UkiFile> {
  const stub = await readBootFile(request.stub);
  const { architecture } = request;
  if (architecture !== undefined && readPe(stub).architecture !== architecture) {
    request.warn?.(`${request.stub} is not a stub for ${architecture}`);
  }
  const sections = await readSections(request);
  const profiles = [];
  for (const path of request.joinProfile ?? []) {
    profiles.push(readProfileFile(await readBootFile(path), sections.osrel !== undefined));
  }
  const { warn } = request;
  const uki = assembleUki({ stub, sections, profiles, ...(warn === undefined ? {} : { warn }) });
  return writeUki(request, uki);
}

async function writeUki(request: UkiFileRequest, uki: Parts): Promise<UkiFile> {
  const { key, output } = request;
  if (key === undefined) {
    await writeFileAtomic(output, uki);
    return { output, size: partsLength(uki) };
  }
  const { size, signedBy } = await signAndWrite({ ...key, output }, uki);
  return { output, size, signedBy };
}

async function readSections(request: UkiFileRequest): Promise<UkiSections> {
  // The two large ones at once.
  const [linux, initrd] = await Promise.all([readKernel(request), readAll(request.initrd)]);
  const sections: Mutable<UkiSections> = { initrd };
  if (linux !== undefined) sections.linux = linux;
  const osrel = await readText(request.osRelease);
  if (osrel !== undefined) sections.osrel = osrel;
  const cmdline =
    request.cmdline?.startsWith('@') === false ? normaliseCmdline(request.cmdline) : request.cmdline;
  const cmdlineBytes = await readText(cmdline);
  if (cmdlineBytes !== undefined) sections.cmdline = cmdlineBytes;
  const uname = request.uname === undefined ? detectUname(linux, request) : await readText(request.uname);
  if (uname !== undefined) sections.uname = uname;
  if (request.splash !== undefined) sections.splash = checkSplash(await readBootFile(request.splash));
  if (request.devicetree !== undefined) sections.dtb = await readBootFile(request.devicetree);
  if (request.microcode !== undefined) sections.ucode = await readBootFile(request.microcode);
  if (request.pcrpkey !== undefined) sections.pcrpkey = await readBootFile(request.pcrpkey);
  sections.dtbauto = await readAll(request.devicetreeAuto);
  sections.efifw = await readFirmware(request.efifw ?? []);
  sections.extra = await readExtra(request.section ?? []);
  const profile = await readText(request.profile);
  if (profile !== undefined) sections.profile = profile;
  if (request.sbat !== undefined && request.sbat.length > 0) sections.sbat = await readSbat(request.sbat);
  return sections;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

async function readKernel(request: UkiFileRequest): Promise<Uint8Array | undefined> {
  if (request.linux === undefined) return undefined;
  const kernel = await loadableKernel(await readBootFile(request.linux), zstdDecoder());
  if (request.signKernel !== true || request.key === undefined) return kernel;
  return gatherParts(await signPe([kernel], request.key));
}

function detectUname(linux: Uint8Array | undefined, request: UkiFileRequest): Uint8Array | undefined {
  if (linux === undefined) return undefined;
  const found = unameOf(linux);
  if (!isProgram(linux)) {
    throw new BootsealError('uki/unknown-kernel', `${request.linux} is no kernel of a known format`, {
      hint: 'if it is meant to be one, give --uname',
    });
  }
  if (found === undefined) request.warn?.('the version of the kernel is not known: there will be no .uname');
  return found === undefined ? undefined : encodeUtf8(found);
}

/** An empty text means "no section"; an empty file is a section of size 0. */
async function readText(value: string | undefined): Promise<Uint8Array | undefined> {
  if (value === undefined || value === '') return undefined;
  return value.startsWith('@') ? readBootFile(value.slice(1)) : encodeUtf8(value);
}

async function readSbat(values: readonly string[]): Promise<string[]> {
  const texts: string[] = [];
  for (const value of values) {
    const bytes = (await readText(value)) ?? new Uint8Array(0);
    const text = decodeUtf8(bytes);
    if (text === undefined)
      throw new BootsealError('uki/bad-sbat', 'the SBAT text is not UTF-8', { where: value });
    texts.push(text);
  }
  return texts;
}

async function readExtra(specs: readonly string[]): Promise<NamedSection[]> {
  const sections: NamedSection[] = [];
  for (const spec of specs) {
    const colon = spec.indexOf(':');
    if (colon < 0) {
      throw new BootsealError(
        'uki/section-spec',
        `${JSON.stringify(spec)}: expected NAME:TEXT or NAME:@PATH`,
        {
          exit: 2,
        },
      );
    }
    const value = spec.slice(colon + 1);
    sections.push({ name: spec.slice(0, colon), data: (await readText(value)) ?? new Uint8Array(0) });
  }
  return sections;
}

async function readFirmware(directories: readonly string[]): Promise<Uint8Array[]> {
  const images: Uint8Array[] = [];
  for (const directory of directories) {
    const names = await readdir(directory).catch((cause: unknown) => {
      throw fileError('file/unreadable', 'open', directory, cause);
    });
    const [name] = names;
    if (name === undefined || names.length !== 1) {
      throw new BootsealError('uki/firmware', `${directory} must contain exactly one firmware image`, {
        exit: 2,
      });
    }
    const identifier = directory.replace(/\/+$/, '').split('/').at(-1)!;
    images.push(encodeFirmware(identifier, await readBootFile(join(directory, name))));
  }
  return images;
}

function readAll(paths: readonly string[] = []): Promise<Uint8Array[]> {
  return Promise.all(paths.map(readBootFile));
}

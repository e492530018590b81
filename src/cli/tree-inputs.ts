/** What `digest` and `digest diff` may be given: an image by its name, a directory or a file by its path. */
import { BootsealError } from '../errors.ts';
import type { Platform } from '../formats/oci/descriptor.ts';
import type { TreeInput } from '../seal/tree-input.ts';
import type { CliContext } from './context.ts';
import { transportOptions, type TransportFlags } from './transport-flags.ts';

export interface OpenInput<INPUT extends TreeInput = TreeInput> {
  readonly input: INPUT;
  readonly close: () => Promise<void>;
}

export type InputFlags = TransportFlags & { readonly platform?: Platform };

/** Dumps are a few hundred bytes a file; more than this would fill memory. */
const MAX_FILE = 1024 * 1024 * 1024;

/** A path and not an image name: nothing else starts so. */
export function isPath(text: string): boolean {
  return /^(?:\.{0,2}\/|\.{1,2}$)/.test(text);
}

export async function openTreeInput(
  text: string,
  flags: InputFlags,
  context: CliContext,
): Promise<OpenInput> {
  if (!isPath(text)) return openImageInput(text, flags, context);
  const { stat } = await import('node:fs/promises');
  const { cannotRead } = await import('../stores/file-errors.ts');
  const found = await stat(text).catch((error: unknown) => {
    throw cannotRead(text, error);
  });
  const close = (): Promise<void> => Promise.resolve();
  if (found.isDirectory()) {
    if (await isOciLayout(text)) {
      throw new BootsealError('digest/not-a-root', 'a folder in OCI layout, not the root of an image', {
        where: text,
        hint: `write oci:${text}, with :TAG where it holds several images`,
        exit: 2,
      });
    }
    return { input: { kind: 'directory', path: text }, close };
  }
  const bytes = await readBounded(text);
  // A UKI says nothing about its tree but the digest; the dump beside it does.
  const dump = isPe(bytes) ? await readBounded(`${text}.dump`).catch(() => undefined) : undefined;
  return { input: { kind: 'file', path: text, bytes, ...(dump && { dump }) }, close };
}

/** The same where only an image or a directory makes sense. */
export async function openRootInput(
  text: string,
  flags: InputFlags,
  context: CliContext,
): Promise<OpenInput<Exclude<TreeInput, { kind: 'file' }>>> {
  const { input, close } = await openTreeInput(text, flags, context);
  if (input.kind !== 'file') return { input, close };
  throw new BootsealError('digest/not-a-root', 'neither an image nor a directory', {
    where: text,
    hint: 'give an image, such as oci:FOLDER:TAG or docker://HOST/NAME:TAG, or the directory it is mounted at',
  });
}

/** A root may well have files of these names; it has /usr as well. */
async function isOciLayout(folder: string): Promise<boolean> {
  const { stat } = await import('node:fs/promises');
  const has = (name: string): Promise<boolean> =>
    stat(`${folder}/${name}`).then(
      () => true,
      () => false,
    );
  return (await has('oci-layout')) && (await has('index.json')) && !(await has('usr'));
}

async function openImageInput(text: string, flags: InputFlags, context: CliContext): Promise<OpenInput> {
  const { parseImageName } = await import('../formats/reference/image-name.ts');
  const { openSource } = await import('../stores/open.ts');
  const name = parseImageName(text);
  if (name.transport === 'docker' && !text.startsWith('docker:')) {
    const { existsSync } = await import('node:fs');
    if (existsSync(text)) context.note(`an image of a registry is asked for; the file here is ./${text}`);
  }
  const source = await openSource(name, transportOptions(flags, context));
  return {
    input: { kind: 'image', source, ...(flags.platform && { platform: flags.platform }) },
    close: () => source.close(),
  };
}

/** Throws `file/cannot-read`, `file/too-large`. */
export async function readBounded(path: string): Promise<Uint8Array> {
  const { open } = await import('node:fs/promises');
  const { cannotRead } = await import('../stores/file-errors.ts');
  try {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      if (size > MAX_FILE) {
        throw new BootsealError('file/too-large', `${size} bytes, over ${MAX_FILE}`, { where: path });
      }
      return await file.readFile();
    } finally {
      await file.close();
    }
  } catch (error) {
    throw error instanceof BootsealError ? error : cannotRead(path, error);
  }
}

function isPe(bytes: Uint8Array): boolean {
  return bytes[0] === 0x4d && bytes[1] === 0x5a;
}

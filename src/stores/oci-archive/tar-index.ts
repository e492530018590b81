/** Where each file of a tar archive lies, so that it can be read without unpacking. Only headers are read. */
import type { FileHandle } from 'node:fs/promises';
import { decodeLatin1 } from '../../bytes/bytes.ts';
import { BootsealError, isBootsealError, withDetails } from '../../errors.ts';
import { MAX_EXTENSION_SIZE, TAR_BLOCK } from '../../formats/tar/format.ts';
import { readFields, readHeader } from '../../formats/tar/header.ts';
import { parsePaxRecords, type PaxRecords } from '../../formats/tar/pax.ts';

export interface ArchivedFile {
  /** Bytes from the start of the archive. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
}

/** An image has some dozens of blobs; many more is an attack on memory. */
const MAX_FILES = 100_000;

const HINT =
  'an image archive is a plain tar of an OCI layout, or what docker save wrote; this one is damaged or something else';

const REGULAR = ['0', '\0', '7'];

/**
 * Regular files by path, without a leading `./`. Throws `oci/bad-archive`, and `tar/…` with the offset. Two files
 * of one path are refused: which of them counts would depend on the reader. `links` is given the symbolic links.
 */
export async function indexTar(
  file: FileHandle,
  links?: Map<string, string>,
): Promise<Map<string, ArchivedFile>> {
  const { size: end } = await file.stat();
  const found = new Map<string, ArchivedFile>();
  let pax: PaxRecords | undefined;
  let longName: string | undefined;
  let longLink: string | undefined;
  let offset = 0;
  while (offset < end) {
    const block = await readExactly(file, offset, TAR_BLOCK);
    if (block.every((byte) => byte === 0)) return found;
    try {
      const header = readHeader(block);
      const dataAt = offset + TAR_BLOCK;
      // Of an extension record the own size counts, of a file the one that PAX may give instead.
      const isExtension = ['x', 'g', 'L', 'K'].includes(header.type);
      const size = Number(isExtension ? header.size : (pax?.size ?? header.size));
      if (size < 0 || size > end - dataAt) throw bad('an entry is longer than the archive');
      if (isExtension) {
        if (size > MAX_EXTENSION_SIZE) throw bad('extension record is too long');
        const data = await readExactly(file, dataAt, size);
        if (header.type === 'x') pax = parsePaxRecords(data);
        if (header.type === 'K') longLink = decodeLatin1(data).replace(/\0.*$/s, '');
        if (header.type === 'L') longName = decodeLatin1(data).replace(/\0.*$/s, '');
      } else {
        if (pax?.sparse === true || pax?.sparseName !== undefined)
          throw bad('sparse files are not supported');
        const path = (pax?.path ?? longName ?? readFields(header).name).replace(/^(?:\.\/)+/, '');
        if (REGULAR.includes(header.type)) add(found, path, { offset: dataAt, size });
        if (header.type === '2' && links !== undefined && links.size < MAX_FILES) {
          links.set(path, pax?.linkPath ?? longLink ?? readFields(header).linkName);
        }
        longLink = undefined;
        pax = undefined;
        longName = undefined;
      }
      offset = dataAt + Math.ceil(size / TAR_BLOCK) * TAR_BLOCK;
    } catch (error) {
      throw isBootsealError(error) ? withDetails(error, { offset, hint: HINT }) : error;
    }
  }
  throw bad('archive ends without an end mark');
}

function add(found: Map<string, ArchivedFile>, path: string, file: ArchivedFile): void {
  if (found.has(path)) throw bad(`${JSON.stringify(path.slice(0, 200))} appears twice`);
  if (found.size >= MAX_FILES) throw bad(`more than ${MAX_FILES} files`);
  found.set(path, file);
}

async function readExactly(file: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  const buffer = Buffer.alloc(length);
  for (let at = 0; at < length;) {
    const { bytesRead } = await file.read(buffer, at, length - at, offset + at);
    if (bytesRead === 0) throw bad('archive is cut off', offset + at);
    at += bytesRead;
  }
  return buffer;
}

function bad(message: string, offset?: number): BootsealError {
  return new BootsealError('oci/bad-archive', message, {
    hint: HINT,
    ...(offset !== undefined && { offset }),
  });
}

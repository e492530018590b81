/**
 * EFI signature lists, the contents of PK, KEK, db and dbx (UEFI specification section 32.4.1).
 *
 *     EFI_SIGNATURE_LIST  { GUID type; u32 listSize; u32 headerSize; u32 entrySize; header; entries }
 *     EFI_SIGNATURE_DATA  { GUID owner; data of entrySize - 16 bytes }
 */
import { concatBytes } from '../../bytes/bytes.ts';
import { Cursor } from '../../bytes/cursor.ts';
import { formatGuid, GUID_SIZE, parseGuid } from '../../bytes/guid.ts';
import { BootsealError } from '../../errors.ts';

export const SIGNATURE_TYPE = {
  x509: 'a5c059a1-94e4-4aa7-87b5-ab155c2bf072',
  sha256: 'c1c41626-504c-4092-aca9-41f936934328',
} as const;

const LIST_HEADER_SIZE = 28;
const SHA256_SIZE = 32;
/** The largest dbx in the field is below 32 KiB, and firmware stores are below 1 MiB. */
const MAX_BYTES = 4 * 1024 * 1024;

export interface SignatureEntry {
  /** GUID of who enrolled it, as text. */
  readonly owner: string;
  readonly data: Uint8Array;
}

export interface SignatureList {
  /** GUID that says what the entries are: {@link SIGNATURE_TYPE} or another. */
  readonly type: string;
  /** Empty in every list type in use. */
  readonly header: Uint8Array;
  /** All of one size. */
  readonly entries: readonly SignatureEntry[];
}

/** Parses lists that fill `bytes` exactly. */
export function parseSignatureLists(bytes: Uint8Array): SignatureList[] {
  if (bytes.length > MAX_BYTES) throw fail('too-large', `more than ${MAX_BYTES} bytes`, 0);
  const lists: SignatureList[] = [];
  for (let at = 0; at < bytes.length;) {
    const cursor = new Cursor(bytes, 'siglist/truncated', at);
    const type = formatGuid(cursor.take(GUID_SIZE));
    const listSize = cursor.u32();
    const headerSize = cursor.u32();
    const entrySize = cursor.u32();
    if (listSize < LIST_HEADER_SIZE || listSize > bytes.length - at) {
      throw fail('bad-size', `a list says it is ${listSize} bytes long, ${bytes.length - at} remain`, at);
    }
    if (headerSize > listSize - LIST_HEADER_SIZE) throw fail('bad-size', 'the header exceeds its list', at);
    const entryBytes = listSize - LIST_HEADER_SIZE - headerSize;
    // An entry has an owner and at least one byte, and the entries fill the list.
    if (entrySize <= GUID_SIZE || entryBytes % entrySize !== 0 || entryBytes === 0) {
      throw fail('bad-size', `entries of ${entrySize} bytes do not fill ${entryBytes} bytes`, at);
    }
    if (type === SIGNATURE_TYPE.sha256 && entrySize !== GUID_SIZE + SHA256_SIZE) {
      throw fail('bad-size', 'a SHA-256 list with entries of another size', at);
    }
    const header = cursor.take(headerSize);
    const entries = Array.from({ length: entryBytes / entrySize }, () => ({
      owner: formatGuid(cursor.take(GUID_SIZE)),
      data: cursor.take(entrySize - GUID_SIZE),
    }));
    lists.push({ type, header, entries });
    at += listSize;
  }
  return lists;
}

/** Byte-identical to what cert-to-efi-sig-list and hash-to-efi-sig-list write. */
export function encodeSignatureLists(lists: readonly SignatureList[]): Uint8Array {
  return concatBytes(lists.flatMap(encodeList));
}

/** One list for each certificate, because entries of a list have one size. */
export function certificateLists(owner: string, certificates: readonly Uint8Array[]): SignatureList[] {
  return certificates.map((data) => ({
    type: SIGNATURE_TYPE.x509,
    header: new Uint8Array(0),
    entries: [{ owner, data }],
  }));
}

/** One list with all hashes: the Authenticode SHA-256 of images. */
export function hashList(owner: string, hashes: readonly Uint8Array[]): SignatureList {
  return {
    type: SIGNATURE_TYPE.sha256,
    header: new Uint8Array(0),
    entries: hashes.map((data) => ({ owner, data })),
  };
}

function encodeList(list: SignatureList): Uint8Array[] {
  const [first] = list.entries;
  if (first === undefined) throw fail('no-entries', 'a list without entries');
  const entrySize = GUID_SIZE + first.data.length;
  const sizes = new Uint8Array(12);
  const view = new DataView(sizes.buffer);
  view.setUint32(0, LIST_HEADER_SIZE + list.header.length + list.entries.length * entrySize, true);
  view.setUint32(4, list.header.length, true);
  view.setUint32(8, entrySize, true);
  const entries = list.entries.flatMap((entry) => {
    if (entry.data.length !== first.data.length)
      throw fail('bad-size', 'entries of different sizes in one list');
    return [parseGuid(entry.owner), entry.data];
  });
  return [parseGuid(list.type), sizes, list.header, ...entries];
}

function fail(what: string, message: string, offset?: number): BootsealError {
  return new BootsealError(
    `siglist/${what}`,
    `signature list: ${message}`,
    offset === undefined ? {} : { offset },
  );
}

/**
 * Reads a tar archive that arrives in pieces of any length, and calls back for every entry and payload byte.
 *
 * The framing is that of tar-core 0.1.0, which composefs-rs and bootc read layers with: a reader that frames the
 * same bytes otherwise would see other files. Lengths are never trusted: nothing is allocated by them, and
 * extension data has a limit.
 */
import { concatBytes, decodeLatin1 } from '../../bytes/bytes.ts';
import { BootsealError, isBootsealError, withDetails } from '../../errors.ts';
import { MAX_EXTENSION_SIZE, TAR_BLOCK, type TarEntry, type TarEntryType } from './format.ts';
import { checkedDevice, readFields, readHeader, type RawHeader } from './header.ts';
import { parsePaxRecords } from './pax.ts';

export interface TarHandler {
  /** Every entry but extension records. `size` is the length of what `data` will be given. */
  entry(entry: TarEntry): void;
  /** Payload of a regular file, in order. The bytes are a view, valid during the call only. */
  data(bytes: Uint8Array): void;
  /** The payload of a regular file is complete. */
  endOfFile(): void;
}

export interface TarReader {
  push(bytes: Uint8Array): void;
  /** No more bytes. Throws `tar/truncated` unless the archive may end here. */
  end(): void;
}

const TYPES: Readonly<Record<string, TarEntryType>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'character',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
};

/** Records that come before the entry they describe. */
interface Pending {
  longName?: string;
  longLink?: string;
  pax?: Uint8Array;
}

/** `block`: a header is being collected. `extension`: data of x, L, K. `payload`: data of an entry. */
type State = 'block' | 'extension' | 'payload' | 'ended';

export function createTarReader(handler: TarHandler): TarReader {
  const partial = new Uint8Array(TAR_BLOCK);
  let partialLength = 0;
  let state: State = 'block';
  /** Bytes of data still to come, and of the padding after it. */
  let remaining = 0;
  let padding = 0;
  let extensionType = '';
  let extensionParts: Uint8Array[] = [];
  let deliver = false;
  let pending: Pending = {};
  let zeroBlock = false;
  let lastHadPayload = true;
  /** Offset of the current header, and of the next byte. */
  let headerOffset = 0;
  let offset = 0;

  function push(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length && state !== 'ended') {
      if (state === 'block') at += takeBlock(bytes, at);
      else if (remaining > 0) at += takeData(bytes, at);
      else at += skipPadding(bytes, at);
      // A payload may be empty, and so may its padding: go on without waiting for another byte.
      if (inData() && remaining === 0 && padding === 0) finishData();
    }
    offset += bytes.length - at;
  }

  function inData(): boolean {
    return state === 'extension' || state === 'payload';
  }

  function takeBlock(bytes: Uint8Array, at: number): number {
    if (partialLength === 0 && bytes.length - at >= TAR_BLOCK) {
      headerOffset = offset;
      offset += TAR_BLOCK;
      located(() => onBlock(bytes.subarray(at, at + TAR_BLOCK)));
      return TAR_BLOCK;
    }
    if (partialLength === 0) headerOffset = offset;
    const taken = Math.min(TAR_BLOCK - partialLength, bytes.length - at);
    partial.set(bytes.subarray(at, at + taken), partialLength);
    partialLength += taken;
    offset += taken;
    if (partialLength === TAR_BLOCK) {
      partialLength = 0;
      located(() => onBlock(partial));
    }
    return taken;
  }

  function takeData(bytes: Uint8Array, at: number): number {
    const taken = Math.min(remaining, bytes.length - at);
    const view = bytes.subarray(at, at + taken);
    // A copy, and not slice(): a Buffer's would be a view of memory that is used again.
    if (state === 'extension') extensionParts.push(new Uint8Array(view));
    else if (deliver) handler.data(view);
    remaining -= taken;
    offset += taken;
    return taken;
  }

  function skipPadding(bytes: Uint8Array, at: number): number {
    const taken = Math.min(padding, bytes.length - at);
    padding -= taken;
    offset += taken;
    return taken;
  }

  function finishData(): void {
    if (state === 'extension') located(onExtension);
    else if (deliver) handler.endOfFile();
    state = 'block';
  }

  function onBlock(block: Uint8Array): void {
    // 1. Two blocks of zeros end the archive; a lone one is skipped.
    if (block[0] === 0 && block.every((byte) => byte === 0)) {
      if (zeroBlock) finish();
      zeroBlock = true;
      return;
    }
    zeroBlock = false;
    const header = readHeader(block);
    switch (header.type) {
      // 2. A global PAX header is not read, and discards the records before it, as tar-core does.
      case 'g':
        pending = {};
        startData(checkedSize(header.size), 'payload', false);
        return;
      // 3. Extension records are kept for the entry that follows.
      case 'x':
      case 'L':
      case 'K':
        startExtension(header);
        return;
      default:
        startEntry(header);
    }
  }

  function startExtension(header: RawHeader): void {
    if (header.magic === 'v7') throw unsupported(header.type);
    const size = checkedSize(header.size);
    if (size > MAX_EXTENSION_SIZE) {
      throw new BootsealError(
        'tar/extension-too-large',
        `extension data of ${size} bytes exceeds ${MAX_EXTENSION_SIZE}`,
      );
    }
    extensionType = header.type;
    extensionParts = [];
    startData(size, 'extension', false);
  }

  function onExtension(): void {
    const data = concatBytes(extensionParts);
    extensionParts = [];
    const key = extensionType === 'x' ? 'pax' : extensionType === 'L' ? 'longName' : 'longLink';
    if (pending[key] !== undefined) {
      throw new BootsealError('tar/duplicate-extension', `two ${extensionType} records before one entry`);
    }
    // Parsed with the entry that it belongs to: a global header between them would discard it unread.
    if (key === 'pax') pending.pax = data;
    else pending[key] = decodeLatin1(data.at(-1) === 0 ? data.subarray(0, -1) : data);
  }

  function startEntry(header: RawHeader): void {
    const { longName, longLink } = pending;
    const pax = pending.pax === undefined ? undefined : parsePaxRecords(pending.pax);
    pending = {};
    const type = Object.hasOwn(TYPES, header.type) ? TYPES[header.type] : undefined;
    if (header.type === 'S' || pax?.sparse === true) {
      throw new BootsealError('tar/sparse', 'sparse files are not supported in layers');
    }
    if (type === undefined) throw unsupported(header.type);
    const fields = readFields(header);
    // A PAX record wins over the header, and its size counts for finding the next header too.
    const size = checkedSize(pax?.size ?? header.size);
    const path = pax?.sparseName ?? pax?.path ?? longName ?? fields.name;
    const isDevice = type === 'character' || type === 'block';
    const isLink = type === 'symlink' || type === 'hardlink';
    const isFile = type === 'file';
    startData(size, 'payload', isFile);
    lastHadPayload = size > 0;
    handler.entry({
      path,
      type,
      mode: low32(fields.mode),
      uid: low32(pax?.uid ?? fields.uid),
      gid: low32(pax?.gid ?? fields.gid),
      mtime: { seconds: BigInt.asIntN(64, BigInt(pax?.seconds ?? fields.mtime)), nanos: pax?.nanos ?? 0 },
      ...(isFile && { size }),
      ...(isLink && { linkTarget: pax?.linkPath ?? longLink ?? fields.linkName }),
      ...(isDevice && { device: checkedDevice(header, fields) }),
      ...(pax?.xattrs && { xattrs: pax.xattrs }),
    });
    if (size === 0) finishData();
  }

  function startData(size: number, next: 'extension' | 'payload', wanted: boolean): void {
    state = next;
    deliver = wanted;
    remaining = size;
    padding = (TAR_BLOCK - (size % TAR_BLOCK)) % TAR_BLOCK;
  }

  function finish(): void {
    if (pending.pax !== undefined || pending.longName !== undefined || pending.longLink !== undefined) {
      throw new BootsealError('tar/orphan-extension', 'an extension record without an entry after it');
    }
    state = 'ended';
  }

  function end(): void {
    located(() => {
      if (state === 'ended' || offset === 0) return;
      if (state !== 'block' || partialLength > 0) throw truncated('the archive ends inside an entry');
      if (zeroBlock) throw truncated('the archive ends after one block of its two-block end marker');
      // composefs-rs finds the end of a layer without marker only behind a payload.
      if (!lastHadPayload) throw truncated('the archive has no end marker');
      finish();
    });
  }

  /** Adds the offset of the header to an error. */
  function located(action: () => void): void {
    try {
      action();
    } catch (error) {
      throw isBootsealError(error) ? withDetails(error, { offset: headerOffset }) : error;
    }
  }

  return { push, end };
}

/** Bits above the lowest 32 are dropped, also of a negative number. */
function low32(value: number | bigint): number {
  return typeof value === 'number' && value <= 0xffffffff ? value : Number(BigInt.asUintN(32, BigInt(value)));
}

/** A size with the highest bit set is a negative base-256 number; other huge ones cannot be true either. */
function checkedSize(size: number | bigint): number {
  if (size > Number.MAX_SAFE_INTEGER) {
    const shown = BigInt.asIntN(64, BigInt(size));
    throw new BootsealError(
      'tar/bad-size',
      `entry size ${shown} is ${shown < 0n ? 'negative' : 'beyond any archive'}`,
    );
  }
  return Number(size);
}

function unsupported(type: string): BootsealError {
  return new BootsealError('tar/unsupported-type', `unsupported entry type ${JSON.stringify(type)}`);
}

function truncated(message: string): BootsealError {
  return new BootsealError('tar/truncated', message);
}

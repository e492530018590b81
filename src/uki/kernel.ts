/** Linux kernels as files: what version they are, and the form that UEFI can load. */
import { gunzipSync } from 'node:zlib';
import { concatBytes, decodeUtf8 } from '../bytes/bytes.ts';
import { BootsealError } from '../errors.ts';
import { readPe } from '../formats/pe/reader.ts';
import type { ZstdDecoder } from '../formats/zstd/ports.ts';
import { unzstd } from '../formats/zstd/reader.ts';

/** Unpacked kernels are below 100 MiB; the limit stops decompression bombs. */
const MAX_KERNEL_BYTES = 512 * 1024 * 1024;

/** Real-mode header of bzImage (Documentation/arch/x86/boot.rst): offsets in the file. */
const SETUP_MAGIC_OFFSET = 0x202;
const SETUP_VERSION_POINTER = 0x20e;
const SETUP_VERSION_BASE = 0x200;
const SETUP_VERSION_MAX = 128;

/** What `uname -r` will say, from the bzImage header, else from the banner text in the image; undefined if unknown. */
export function unameOf(kernel: Uint8Array): string | undefined {
  return unameOfBzImage(kernel) ?? unameOfBanner(kernel);
}

function unameOfBzImage(kernel: Uint8Array): string | undefined {
  if (kernel.length < SETUP_VERSION_POINTER + 2) return undefined;
  const view = new DataView(kernel.buffer, kernel.byteOffset, kernel.length);
  // "HdrS"
  if (view.getUint32(SETUP_MAGIC_OFFSET, true) !== 0x5372_6448) return undefined;
  const at = SETUP_VERSION_BASE + view.getUint16(SETUP_VERSION_POINTER, true);
  const field = kernel.subarray(at, at + SETUP_VERSION_MAX);
  const end = field.indexOf(0);
  const text = decodeUtf8(end < 0 ? field : field.subarray(0, end));
  return /^([a-z0-9._+~-]+) \([^ )]+\) #/i.exec(text ?? '')?.[1];
}

function unameOfBanner(kernel: Uint8Array): string | undefined {
  const bytes = Buffer.from(kernel.buffer, kernel.byteOffset, kernel.length);
  for (let at = bytes.indexOf('Linux version '); at >= 0; at = bytes.indexOf('Linux version ', at + 1)) {
    const match = /^Linux version (\d\.[!-~]+) \(/.exec(bytes.toString('latin1', at, at + 256));
    if (match !== null) return match[1];
  }
  return undefined;
}

/**
 * The kernel as it goes into `.linux`. PE files stay as they are; others are unpacked when compressed (gzip, zstd,
 * or a zboot wrapper with one of them), because firmware loads neither.
 */
export async function loadableKernel(kernel: Uint8Array, zstd: ZstdDecoder): Promise<Uint8Array> {
  if (isPe(kernel)) return kernel;
  if (kernel[0] === 0x4d && kernel[1] === 0x5a) {
    if (Buffer.from(kernel.subarray(4, 8)).toString('latin1') !== 'zimg') {
      throw new BootsealError('uki/bad-kernel', 'the kernel starts like a PE file but is none');
    }
    const { payload, packing } = readZboot(kernel);
    return unpack(payload, packing, zstd);
  }
  const packing = packingOf(kernel);
  return packing === undefined ? kernel : unpack(kernel, packing, zstd);
}

type Packing = 'gzip' | 'zstd' | 'lz4' | 'lzma' | 'xz' | 'bzip2' | 'lzo';

const MAGICS: readonly (readonly [Packing, string])[] = [
  ['gzip', '1f8b'],
  ['zstd', '28b52ffd'],
  ['lz4', '02214c18'],
  ['lz4', '04224d18'],
  ['xz', 'fd377a585a00'],
  ['bzip2', '425a68'],
  ['lzo', '894c5a4f'],
  ['lzma', '5d0000'],
];

function packingOf(bytes: Uint8Array): Packing | undefined {
  const start = Buffer.from(bytes.subarray(0, 8)).toString('hex');
  return MAGICS.find(([, magic]) => start.startsWith(magic))?.[0];
}

/** zboot (drivers/firmware/efi/libstub/zboot-header.S): u32 offset at 8, u32 size at 12, the packing's name at 24. */
function readZboot(kernel: Uint8Array): { payload: Uint8Array; packing: Packing } {
  const view = new DataView(kernel.buffer, kernel.byteOffset, kernel.length);
  if (kernel.length < 32) throw new BootsealError('uki/bad-kernel', 'the zboot header is cut off');
  const offset = view.getUint32(8, true);
  const size = view.getUint32(12, true);
  if (offset + size > kernel.length) {
    throw new BootsealError('uki/bad-kernel', 'the zboot payload is cut off', { offset: 8 });
  }
  const name = Buffer.from(kernel.subarray(24, 32)).toString('latin1').split('\0', 1)[0];
  if (name !== 'gzip' && name !== 'zstd') throw unsupported(JSON.stringify(name));
  return { payload: kernel.subarray(offset, offset + size), packing: name };
}

async function unpack(bytes: Uint8Array, packing: Packing, zstd: ZstdDecoder): Promise<Uint8Array> {
  try {
    if (packing === 'gzip') return gunzipSync(bytes, { maxOutputLength: MAX_KERNEL_BYTES });
    if (packing === 'zstd') return await unpackZstd(bytes, zstd);
  } catch (error) {
    throw new BootsealError('uki/bad-kernel', `the kernel is ${packing} data that cannot be unpacked`, {
      cause: error,
    });
  }
  throw unsupported(packing);
}

async function unpackZstd(bytes: Uint8Array, zstd: ZstdDecoder): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of unzstd(once(bytes), zstd)) {
    size += piece.length;
    if (size > MAX_KERNEL_BYTES)
      throw new BootsealError('uki/bad-kernel', 'the kernel unpacks to more than 512 MiB');
    pieces.push(piece);
  }
  return concatBytes(pieces);
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}

function unsupported(packing: string): BootsealError {
  return new BootsealError(
    'uki/unsupported-kernel',
    `the kernel is packed with ${packing}, which cannot be unpacked here`,
    {
      hint: 'unpack it first and give the unpacked file',
    },
  );
}

/** True for a PE or an ELF file: a kernel, though perhaps one that does not say its version. */
export function isProgram(bytes: Uint8Array): boolean {
  return isPe(bytes) || Buffer.from(bytes.subarray(0, 4)).toString('latin1') === '\x7fELF';
}

function isPe(bytes: Uint8Array): boolean {
  try {
    readPe(bytes);
    return true;
  } catch {
    return false;
  }
}

/**
 * The variable store of OVMF (`OVMF_VARS_4M.fd`), for virtual machines that start with keys enrolled: what
 * `virt-fw-vars --set-pk --add-kek --add-db --sb` writes, byte for byte. Layout of edk2
 * (MdeModulePkg/Include/Guid/VariableFormat.h); little-endian.
 *
 *     EFI_FIRMWARE_VOLUME_HEADER   … u64 length at 0x20, "_FVH" at 0x28, u16 header length at 0x30
 *     VARIABLE_STORE_HEADER        { GUID; u32 size; u8 format 5A; u8 state FE; u16; u32 }
 *     AUTHENTICATED_VARIABLE_HEADER{ u16 55AA; u8 state; u8; u32 attributes; u64 count; EFI_TIME; u32 keyIndex;
 *                                    u32 nameSize; u32 dataSize; GUID } name ‖ data, padded with FF to 4
 */
import { concatBytes, equalBytes } from '../../bytes/bytes.ts';
import { Cursor } from '../../bytes/cursor.ts';
import { parseGuid } from '../../bytes/guid.ts';
import { BootsealError } from '../../errors.ts';
import {
  certificateLists,
  encodeSignatureLists,
  hashList,
  type SignatureList,
} from '../siglist/signature-list.ts';
import { ATTRIBUTE, encodeEfiTime, encodeVariableName, KEY_ATTRIBUTES, VENDOR } from './format.ts';

const AUTHENTICATED_STORE = parseGuid('aaf32c78-947b-439a-a180-2e144ec37792');
const STORE_HEADER_SIZE = 28;
const VARIABLE_HEADER_SIZE = 60;
const VARIABLE_START = 0x55aa;
const STATE_ADDED = 0x3f;
const ERASED = 0xff;
/** Key variables carry the time of their signing; these were never signed. virt-fw-vars' choice. */
const KEY_TIME = new Date(Date.UTC(2020, 0, 1));
const EMPTY_DBX_TIME = new Date(Date.UTC(2010, 0, 1));
/** Forbids the hash of nothing, so that dbx exists: old firmware fails without one. Owner: virt-fw-vars' too. */
const EMPTY_DBX: SignatureList = hashList('a0baa8a3-041d-48a8-bc87-c36d121b5e3d', [
  Buffer.from('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', 'hex'),
]);

export interface EnrolledKeys {
  /** GUID as text. */
  readonly owner: string;
  /** Certificates in DER. */
  readonly PK: Uint8Array;
  readonly KEK: readonly Uint8Array[];
  readonly db: readonly Uint8Array[];
  /** Encoded signature lists. */
  readonly dbx?: Uint8Array;
}

interface Variable {
  readonly name: string;
  readonly vendor: string;
  readonly attributes: number;
  readonly time: Uint8Array;
  readonly data: Uint8Array;
}

/** A copy of the (empty) template with the keys enrolled and Secure Boot on. Errors are `varstore/…`. */
export function enrolKeys(template: Uint8Array, keys: EnrolledKeys): Uint8Array {
  const { start, end } = findStore(template);
  if (template.subarray(start, end).some((byte) => byte !== ERASED)) {
    throw new BootsealError('varstore/not-empty', 'the variable store holds variables already', {
      hint: 'start from the template that the firmware package ships, such as OVMF_VARS_4M.fd',
      offset: start,
    });
  }
  const keyVariable = (name: string, vendor: string, lists: Uint8Array, time = KEY_TIME): Variable => ({
    name,
    vendor,
    attributes: KEY_ATTRIBUTES,
    time: encodeEfiTime(time),
    data: lists,
  });
  const switchVariable = (name: string, vendor: string, value: number): Variable => ({
    name,
    vendor,
    attributes: ATTRIBUTE.nonVolatile | ATTRIBUTE.bootServiceAccess,
    time: new Uint8Array(16),
    data: Uint8Array.of(value),
  });
  const certificates = (list: readonly Uint8Array[]) =>
    encodeSignatureLists(certificateLists(keys.owner, list));
  const variables = [
    switchVariable('CustomMode', VENDOR.customMode, 0),
    keyVariable('KEK', VENDOR.global, certificates(keys.KEK)),
    keyVariable('PK', VENDOR.global, certificates([keys.PK])),
    switchVariable('SecureBootEnable', VENDOR.secureBootEnable, 1),
    keyVariable('db', VENDOR.imageSecurity, certificates(keys.db)),
    keys.dbx === undefined
      ? keyVariable('dbx', VENDOR.imageSecurity, encodeSignatureLists([EMPTY_DBX]), EMPTY_DBX_TIME)
      : keyVariable('dbx', VENDOR.imageSecurity, keys.dbx),
  ];
  const encoded = concatBytes(variables.flatMap(encodeVariable));
  if (encoded.length > end - start) {
    throw new BootsealError(
      'varstore/full',
      `the keys need ${encoded.length} bytes, the store has ${end - start}`,
    );
  }
  const store = Uint8Array.from(template);
  store.set(encoded, start);
  return store;
}

/** Where variables may lie: behind the store's header, up to its size. */
function findStore(bytes: Uint8Array): { start: number; end: number } {
  const volume = new Cursor(bytes, 'varstore/truncated');
  volume.skip(0x28);
  if (Buffer.from(volume.take(4)).toString('latin1') !== '_FVH') {
    throw new BootsealError('varstore/not-a-volume', 'not a firmware volume', { offset: 0x28 });
  }
  volume.skip(4);
  const headerAt = volume.u16();
  const header = new Cursor(bytes, 'varstore/truncated', Math.min(headerAt, bytes.length));
  const store = header.take(16);
  const size = header.u32();
  const format = header.u8();
  const state = header.u8();
  if (!equalBytes(store, AUTHENTICATED_STORE) || format !== 0x5a || state !== 0xfe) {
    throw new BootsealError(
      'varstore/not-authenticated',
      'no store for authenticated variables in this volume',
      {
        hint: 'use the variable template that belongs to a Secure Boot build of OVMF',
        offset: headerAt,
      },
    );
  }
  if (size < STORE_HEADER_SIZE || headerAt + size > bytes.length) {
    throw new BootsealError('varstore/truncated', 'the variable store reaches beyond the file', {
      offset: headerAt,
    });
  }
  return { start: Math.ceil((headerAt + STORE_HEADER_SIZE) / 4) * 4, end: headerAt + size };
}

function encodeVariable(variable: Variable): Uint8Array[] {
  const name = concatBytes([encodeVariableName(variable.name), new Uint8Array(2)]);
  const header = new Uint8Array(VARIABLE_HEADER_SIZE);
  const view = new DataView(header.buffer);
  view.setUint16(0, VARIABLE_START, true);
  header[2] = STATE_ADDED;
  view.setUint32(4, variable.attributes, true);
  header.set(variable.time, 16);
  view.setUint32(36, name.length, true);
  view.setUint32(40, variable.data.length, true);
  header.set(parseGuid(variable.vendor), 44);
  const padding = new Uint8Array((4 - ((name.length + variable.data.length) % 4)) % 4).fill(ERASED);
  return [header, name, variable.data, padding];
}

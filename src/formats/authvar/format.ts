/** Names, GUIDs and attributes of the Secure Boot variables (UEFI specification sections 8.2 and 32). */

export const VENDOR = {
  global: '8be4df61-93ca-11d2-aa0d-00e098032b8c',
  imageSecurity: 'd719b2cb-3d3a-4596-a3bc-dad00e67656f',
  customMode: 'c076ec0c-7028-4399-a072-71ee5c448b9f',
  secureBootEnable: 'f0a30bc7-af08-4556-99c4-001009c93a44',
} as const;

export const ATTRIBUTE = {
  nonVolatile: 0x01,
  bootServiceAccess: 0x02,
  runtimeAccess: 0x04,
  timeBasedAuthenticatedWrite: 0x20,
  appendWrite: 0x40,
} as const;

/** What PK, KEK, db and dbx are written with. */
export const KEY_ATTRIBUTES: number =
  ATTRIBUTE.nonVolatile |
  ATTRIBUTE.bootServiceAccess |
  ATTRIBUTE.runtimeAccess |
  ATTRIBUTE.timeBasedAuthenticatedWrite;

export type KeyVariable = 'PK' | 'KEK' | 'db' | 'dbx';

/** The vendor GUID under which firmware looks for a key variable. */
export function vendorOf(name: KeyVariable): string {
  return name === 'PK' || name === 'KEK' ? VENDOR.global : VENDOR.imageSecurity;
}

/** EFI_TIME, 16 bytes, UTC: u16 year, month, day, hour, minute, second, and zeros as the variables demand. */
export function encodeEfiTime(time: Date): Uint8Array {
  const bytes = new Uint8Array(16);
  new DataView(bytes.buffer).setUint16(0, time.getUTCFullYear(), true);
  bytes[2] = time.getUTCMonth() + 1;
  bytes[3] = time.getUTCDate();
  bytes[4] = time.getUTCHours();
  bytes[5] = time.getUTCMinutes();
  bytes[6] = time.getUTCSeconds();
  return bytes;
}

/** UTF-16LE without a terminating NUL. */
export function encodeVariableName(name: string): Uint8Array {
  return Uint8Array.from(Buffer.from(name, 'utf16le'));
}

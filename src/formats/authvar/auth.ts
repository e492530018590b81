/**
 * `.auth` files: a signed write to PK, KEK, db or dbx, as systemd-boot enrols them (UEFI specification section
 * 8.2.2, EFI_VARIABLE_AUTHENTICATION_2). Byte-identical to sign-efi-sig-list of efitools.
 *
 *     EFI_TIME (16) ‖ u32 length ‖ u16 0x0200 ‖ u16 0x0ef1 ‖ GUID PKCS7 ‖ SignedData ‖ signature lists
 *
 * The SignedData stands bare, without a ContentInfo around it.
 */
import { createPublicKey, verify } from 'node:crypto';
import { concatBytes } from '../../bytes/bytes.ts';
import { parseGuid } from '../../bytes/guid.ts';
import { BootsealError } from '../../errors.ts';
import type { Signer } from '../authenticode/ports.ts';
import { OID } from '../der/oid.ts';
import { encodeBareSignedData } from '../pkcs7/signed-data.ts';
import { parseCertificate } from '../x509/certificate.ts';
import {
  ATTRIBUTE,
  encodeEfiTime,
  encodeVariableName,
  KEY_ATTRIBUTES,
  vendorOf,
  type KeyVariable,
} from './format.ts';

const CERT_TYPE_PKCS7 = '4aafd29d-68df-49ee-8aa9-347d375665a7';
const WIN_CERT_REVISION = 0x0200;
const WIN_CERT_TYPE_EFI_GUID = 0x0ef1;
const WIN_CERTIFICATE_UEFI_GUID_SIZE = 24;

export interface VariableUpdate {
  readonly name: KeyVariable;
  /** Encoded signature lists. */
  readonly contents: Uint8Array;
  /** UTC, whole seconds. Firmware wants it later than that of the last write, unless appending. */
  readonly time: Date;
  readonly append?: boolean;
}

/** What the signature covers: name ‖ vendor GUID ‖ attributes ‖ time ‖ contents. */
export function encodeSignedVariable(update: VariableUpdate): Uint8Array {
  const attributes = new Uint8Array(4);
  new DataView(attributes.buffer).setUint32(
    0,
    KEY_ATTRIBUTES | (update.append === true ? ATTRIBUTE.appendWrite : 0),
    true,
  );
  return concatBytes([
    encodeVariableName(update.name),
    parseGuid(vendorOf(update.name)),
    attributes,
    encodeEfiTime(update.time),
    update.contents,
  ]);
}

/**
 * The `.auth` file. PK must be signed by the key of the certificate that it holds, KEK by PK, db and dbx by KEK:
 * edk2 refuses a PK that is not self-signed, and the machine then boots with Secure Boot off.
 */
export async function signVariable(
  update: VariableUpdate,
  certificate: Uint8Array,
  signer: Signer,
): Promise<Uint8Array> {
  const parsed = parseCertificate(certificate);
  const signed = encodeSignedVariable(update);
  const signature = await signer.sign(signed);
  const key = createPublicKey({ key: Buffer.from(parsed.spki), format: 'der', type: 'spki' });
  if (!verify('sha256', signed, key, signature)) {
    throw new BootsealError('authvar/key-mismatch', 'the private key does not belong to the certificate', {
      exit: 2,
    });
  }
  const signedData = encodeBareSignedData({
    contentType: OID.data,
    certificates: [certificate],
    signerCertificate: parsed,
    signature,
  });
  const header = new Uint8Array(8);
  const view = new DataView(header.buffer);
  view.setUint32(0, WIN_CERTIFICATE_UEFI_GUID_SIZE + signedData.length, true);
  view.setUint16(4, WIN_CERT_REVISION, true);
  view.setUint16(6, WIN_CERT_TYPE_EFI_GUID, true);
  return concatBytes([
    encodeEfiTime(update.time),
    header,
    parseGuid(CERT_TYPE_PKCS7),
    signedData,
    update.contents,
  ]);
}

/** Distinguished names as text (RFC 4514) and back to DER, for people: comparisons use the encoded bytes. */
import { decodeLatin1, decodeUtf8 } from '../../bytes/bytes.ts';
import { OID } from '../der/oid.ts';
import { DerFields, readConstructed, readOid, TAG, type DerElement } from '../der/reader.ts';
import { encodeElement, oid, sequence, utf8String } from '../der/writer.ts';

const SHORT_NAMES: ReadonlyMap<string, string> = new Map([
  [OID.commonName, 'CN'],
  [OID.organization, 'O'],
  [OID.organizationalUnit, 'OU'],
  [OID.country, 'C'],
]);

/** `CN=…,O=…`, the most specific part first. The text is untrusted: escape it before printing. */
export function formatName(name: DerElement): string {
  return readConstructed(name, TAG.sequence, 'name')
    .flatMap((set) => readConstructed(set, TAG.set, 'name part'))
    .map((attribute) => {
      const fields = new DerFields(attribute, TAG.sequence, 'name attribute');
      const type = readOid(fields.take(TAG.oid, 'type'));
      const value = fields.takeAny('value');
      fields.end();
      return `${SHORT_NAMES.get(type) ?? type}=${attributeText(value).replaceAll(/[,+"\\<>;=]/g, '\\$&')}`;
    })
    .toReversed()
    .join(',');
}

/** A Name with an organization (when given) and a common name, both UTF-8. */
export function encodeName(commonName: string, organization?: string): Uint8Array {
  const part = (type: string, text: string) => encodeElement(TAG.set, sequence(oid(type), utf8String(text)));
  const parts = [part(OID.commonName, commonName)];
  if (organization !== undefined) parts.unshift(part(OID.organization, organization));
  return sequence(...parts);
}

function attributeText(value: DerElement): string {
  if (value.tag === TAG.bmpString) {
    return Buffer.from(value.contents).toString('latin1').replaceAll('\0', '');
  }
  return decodeUtf8(value.contents) ?? decodeLatin1(value.contents);
}

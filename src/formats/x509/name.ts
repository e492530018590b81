/** Distinguished names as text (RFC 4514) and back to DER, for people: comparisons use the encoded bytes. */
import { decodeLatin1, decodeUtf8 } from '../../bytes/bytes.ts';
import { OID } from '../der/oid.ts';
import { DerFields, readConstructed, readDer, readOid, TAG, type DerElement } from '../der/reader.ts';
import { encodeElement, oid, sequence, utf8String } from '../der/writer.ts';

const SHORT_NAMES: ReadonlyMap<string, string> = new Map([
  [OID.commonName, 'CN'],
  [OID.organization, 'O'],
  [OID.organizationalUnit, 'OU'],
  [OID.country, 'C'],
]);

/** `CN=…,O=…`, the most specific part first. The text is untrusted: escape it before printing. */
export function formatName(name: DerElement): string {
  return readParts(name)
    .map((part) =>
      part.map(({ type, text }) => `${SHORT_NAMES.get(type) ?? type}=${escaped(text)}`).join('+'),
    )
    .toReversed()
    .join(',');
}

/** Values of one type of attribute in an encoded Name, in its order. Untrusted text, as it is. */
export function attributesOf(name: Uint8Array, id: string): readonly string[] {
  return readParts(readDer(name))
    .flat()
    .flatMap(({ type, text }) => (type === id ? text : []));
}

interface Attribute {
  /** Object identifier. */
  readonly type: string;
  readonly text: string;
}

/** Each part is a set: nearly always of one attribute. */
function readParts(name: DerElement): Attribute[][] {
  return readConstructed(name, TAG.sequence, 'name').map((set) =>
    readConstructed(set, TAG.set, 'name part').map((attribute) => {
      const fields = new DerFields(attribute, TAG.sequence, 'name attribute');
      const type = readOid(fields.take(TAG.oid, 'type'));
      const value = fields.takeAny('value');
      fields.end();
      return { type, text: attributeText(value) };
    }),
  );
}

/** RFC 4514 section 2.4: so that no value reads like a further attribute, or like one in hexadecimal. */
function escaped(text: string): string {
  return text.replaceAll(/[,+"\\<>;=]|^[ #]| $/g, '\\$&').replaceAll('\0', '\\00');
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
    // UTF-16 with the high octet first; half a character at the end is left out.
    const even = Buffer.from(value.contents.subarray(0, value.contents.length & ~1));
    return even.swap16().toString('utf16le');
  }
  return decodeUtf8(value.contents) ?? decodeLatin1(value.contents);
}

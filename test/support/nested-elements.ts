/** DER that is nothing but depth: parsers that recurse without a limit end in a stack overflow. */

/** `count` elements of this tag, each the only one in the one before; the innermost is empty. */
export function nestedElements(count: number, tag = 0x30): Uint8Array {
  const heads: Uint8Array[] = [];
  let size = 0;
  for (let at = 0; at < count; at += 1) {
    const head = [tag, ...lengthOctets(size)];
    heads.push(Uint8Array.from(head));
    size += head.length;
  }
  return Buffer.concat(heads.toReversed());
}

function lengthOctets(size: number): number[] {
  if (size < 0x80) return [size];
  const octets: number[] = [];
  for (let rest = size; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  return [0x80 + octets.length, ...octets];
}

/** `bootseal verity digest FILE…`: what `fsverity digest` prints, of files on any file system. */
import { escapeText } from '../../bytes/printable.ts';
import { encodeHex } from '../../bytes/hex.ts';
import { defineCommand, text, usageError, type Command } from '../command.ts';

interface Flags {
  readonly hashAlg: 'sha256' | 'sha512';
  readonly blockSize: number;
  readonly salt?: string;
  readonly compact: boolean;
  readonly forBuiltinSig: boolean;
  readonly outMerkleTree?: string;
  readonly outDescriptor?: string;
}

const HASHES: Readonly<Record<string, 'sha256' | 'sha512'>> = {
  sha256: 'sha256',
  sha512: 'sha512',
  1: 'sha256',
  2: 'sha512',
};

export const command: Command = defineCommand<Flags, [first: string, ...others: string[]]>({
  description:
    'Computes the fs-verity digest that the kernel would measure of each file, without enabling fs-verity. The ' +
    'options are those of fsverity digest.',
  flags: {
    hashAlg: {
      kind: 'parsed',
      parse: parseHash,
      default: 'sha256',
      placeholder: 'sha256|sha512',
      brief: 'hash algorithm',
    },
    blockSize: {
      kind: 'parsed',
      parse: parseBlockSize,
      default: '4096',
      placeholder: 'BYTES',
      brief: 'Merkle tree block size',
    },
    salt: {
      kind: 'parsed',
      parse: String,
      optional: true,
      placeholder: 'HEX',
      brief: 'salt, up to 32 bytes',
    },
    compact: { kind: 'boolean', default: false, withNegated: false, brief: 'print the digest alone' },
    forBuiltinSig: {
      kind: 'boolean',
      default: false,
      withNegated: false,
      brief: 'print what a built-in signature is made over',
    },
    outMerkleTree: {
      kind: 'parsed',
      parse: text,
      optional: true,
      placeholder: 'FILE',
      brief: 'write the Merkle tree, the root block first',
    },
    outDescriptor: {
      kind: 'parsed',
      parse: text,
      optional: true,
      placeholder: 'FILE',
      brief: 'write the descriptor',
    },
  },
  args: [{ parse: text, placeholder: 'FILE', brief: 'regular file' }],
  manyArgs: true,
  async run(context, flags, ...files) {
    const { encodeSignedDigest } = await import('../../formats/fsverity/format.ts');
    const { collectMerkleTree } = await import('../../formats/fsverity/merkle.ts');
    const { verityOfFile } = await import('../../stores/verity-file.ts');
    const { writeFileAtomic } = await import('../../stores/atomic-write.ts');
    if (files.length === 0) throw usageError('which file?');
    const salt = flags.salt === undefined ? undefined : parseSalt(flags.salt);
    const lines: string[] = [];
    const digests: { readonly file: string; readonly digest: string }[] = [];
    for (const file of files) {
      const tree = collectMerkleTree();
      let descriptor = new Uint8Array(0);
      const digest = await verityOfFile(file, flags.hashAlg, {
        blockSize: flags.blockSize,
        ...(salt && { salt }),
        ...(flags.outMerkleTree !== undefined && { onBlock: tree.onBlock }),
        onDescriptor: (bytes) => (descriptor = Uint8Array.from(bytes)),
        signal: context.signal,
      });
      if (flags.outMerkleTree !== undefined) await writeFileAtomic(flags.outMerkleTree, tree.blocks());
      if (flags.outDescriptor !== undefined) await writeFileAtomic(flags.outDescriptor, [descriptor]);
      const hex = encodeHex(flags.forBuiltinSig ? encodeSignedDigest(flags.hashAlg, digest) : digest);
      const shown = flags.forBuiltinSig ? hex : `${flags.hashAlg}:${hex}`;
      lines.push(flags.compact ? hex : `${shown} ${escapeText(file)}`);
      digests.push({ file, digest: hex });
    }
    return { ok: true, text: lines.join('\n'), json: { algorithm: flags.hashAlg, digests } };
  },
});

function parseHash(input: string): 'sha256' | 'sha512' {
  const hash = HASHES[input];
  if (hash !== undefined) return hash;
  throw new Error(`unknown hash algorithm: '${input}'. Available hash algorithms: sha256 sha512`);
}

function parseBlockSize(input: string): number {
  const size = Number(input);
  if (/^[0-9]{1,9}$/.test(input) && size > 0 && Number.isInteger(Math.log2(size))) return size;
  throw new Error(`Invalid block size: ${input}.  Must be power of 2`);
}

function parseSalt(input: string): Uint8Array {
  if (!/^(?:[0-9a-fA-F]{2})*$/.test(input)) throw usageError('salt is not a valid hex string');
  return Uint8Array.from(Buffer.from(input, 'hex'));
}

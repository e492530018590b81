/** Reads test/vectors/uki: what ukify, sbsign, osslsigncode, pesign and efitools make of the same inputs. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from './project.ts';

const ROOT = join(projectRoot(), 'test/vectors/uki');

export type FileSpec =
  | { readonly file: string }
  | { readonly text: string }
  | { readonly base64: string }
  | { readonly zero: number }
  | { readonly fill: string; readonly size: number }
  | { readonly package: string; readonly name: string; readonly sha256: string };

export type Edit =
  | { readonly xor: [number, number] }
  | { readonly write: [number, string] }
  | { readonly insert: [number, string] }
  | { readonly append: string }
  | { readonly cut: number };

export type VectorInput = FileSpec | { readonly from: FileSpec; readonly edits: readonly Edit[] };

export interface VerifyCase {
  readonly name: string;
  readonly input: VectorInput;
  /** Anchor → tool → what it said. */
  readonly verdicts: Readonly<Record<string, Readonly<Record<string, { readonly exit: number }>>>>;
}

/** The cases of one kind; `T` describes the fields that the test reads. */
export function readCases<T>(kind: string): T[] {
  const { cases } = JSON.parse(readFileSync(join(ROOT, kind, 'cases.json'), 'utf8')) as { cases: T[] };
  return cases;
}

/** A file of the set: `in/NAME`, or a path that starts with `out/`. */
export function vectorFile(name: string): Uint8Array {
  return new Uint8Array(readFileSync(join(ROOT, name.startsWith('out/') ? name : join('in', name))));
}

/** A certificate in DER, or a private key in PEM, of `in/keys`. */
export function vectorCertificate(name: string): Uint8Array {
  return vectorFile(`keys/${name}.der`);
}

export function vectorKeyPem(name: string): string {
  return readFileSync(join(ROOT, 'in/keys', `${name}.key`), 'utf8');
}

export function vectorPath(name: string): string {
  return join(ROOT, 'in', name);
}

/** The bytes that a file spec stands for; undefined when it names a file of a package that is not stored. */
export function materialise(spec: FileSpec): Uint8Array | undefined {
  if ('file' in spec) return vectorFile(spec.file);
  if ('text' in spec) return new TextEncoder().encode(spec.text);
  if ('base64' in spec) return Uint8Array.from(Buffer.from(spec.base64, 'base64'));
  if ('zero' in spec) return new Uint8Array(spec.zero);
  if ('package' in spec) return undefined;
  return fill(spec.fill, spec.size);
}

/** A file spec with edits applied. */
export function materialiseInput(input: VectorInput): Uint8Array {
  if (!('from' in input)) return materialise(input)!;
  let bytes = Buffer.from(materialise(input.from)!);
  for (const edit of input.edits) bytes = applyEdit(bytes, edit);
  return new Uint8Array(bytes);
}

function applyEdit(bytes: Buffer<ArrayBuffer>, edit: Edit): Buffer<ArrayBuffer> {
  if ('xor' in edit) {
    bytes[edit.xor[0]] ^= edit.xor[1];
    return bytes;
  }
  if ('write' in edit) {
    bytes.set(Buffer.from(edit.write[1], 'hex'), edit.write[0]);
    return bytes;
  }
  if ('insert' in edit) {
    const [at, hex] = edit.insert;
    return Buffer.concat([bytes.subarray(0, at), Buffer.from(hex, 'hex'), bytes.subarray(at)]);
  }
  if ('append' in edit) return Buffer.concat([bytes, Buffer.from(edit.append, 'hex')]);
  return bytes.subarray(0, edit.cut);
}

function fill(seed: string, size: number): Uint8Array {
  const blocks: Buffer[] = [];
  for (let index = 0; index * 32 < size; index += 1) {
    blocks.push(createHash('sha256').update(`${seed}:${index}`).digest());
  }
  return new Uint8Array(Buffer.concat(blocks).subarray(0, size));
}

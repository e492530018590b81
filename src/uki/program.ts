/** What kind of boot program a PE file is, by its sections. */
import { decodeUtf8 } from '../bytes/bytes.ts';
import { contentSize, readPe } from '../formats/pe/reader.ts';

export type ProgramKind = 'uki' | 'addon' | 'systemd-boot' | 'stub';

/**
 * systemd's programs carry `#### LoaderInfo: NAME VERSION ####` in `.sdmagic`. Undefined: some other program, of which
 * nobody knows whether it verifies what it starts. Throws `pe/…` when it is no program at all.
 */
export function describeProgram(bytes: Uint8Array): ProgramKind | undefined {
  const pe = readPe(bytes);
  const magic = pe.sections.find(({ name }) => name === '.sdmagic');
  if (magic === undefined) return undefined;
  const text = decodeUtf8(bytes.subarray(magic.rawPointer, magic.rawPointer + contentSize(magic)));
  const loader = /#### LoaderInfo: (systemd-(?:boot|stub|addon)) /.exec(text ?? '')?.[1];
  if (loader === undefined) return undefined;
  if (loader === 'systemd-boot') return 'systemd-boot';
  if (loader === 'systemd-addon') return 'addon';
  return pe.sections.some(({ name }) => name === '.linux') ? 'uki' : 'stub';
}

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { COFF, DOS_PE_OFFSET, OPTIONAL, SECTION } from '../../../src/formats/pe/format.ts';
import { checkLayout, readPe } from '../../../src/formats/pe/reader.ts';
import { computeCheckSum } from '../../../src/formats/pe/writer.ts';
import { vectorFile } from '../../support/uki-vectors.ts';

const STUB = vectorFile('stub-x64.efi');
const HEADERS = readPe(STUB);

/** A copy with one little-endian number changed. */
function edited(offset: number, value: number, size: 2 | 4 = 4): Uint8Array {
  const bytes = Uint8Array.from(STUB);
  const view = new DataView(bytes.buffer);
  if (size === 4) view.setUint32(offset, value, true);
  else view.setUint16(offset, value, true);
  return bytes;
}

const section = (index: number, field: number) => HEADERS.sectionTableOffset + index * SECTION.size + field;
const optional = (field: number) => HEADERS.optionalOffset + field;
const strict = (bytes: Uint8Array) => checkLayout(readPe(bytes));

describe('pe reader', () => {
  it('reads the headers of both kinds', () => {
    assert.equal(HEADERS.architecture, 'x64');
    assert.deepEqual(
      HEADERS.sections.map(({ name }) => name),
      ['.text', '.rodata', '.data', '.sbat', '.sdmagic', '.reloc'],
    );
    assert.equal(HEADERS.sections[3]?.rawPointer, 0xe00);
    assert.equal(HEADERS.securityEntryOffset, 0x58 + 144);
    checkLayout(HEADERS);
    const ia32 = readPe(vectorFile('s-ia32.efi'));
    assert.equal(ia32.architecture, 'ia32');
    assert.equal(ia32.securityEntryOffset, 0x58 + 128);
  });

  it('gives every malformed file its own code', () => {
    const code = (bytes: Uint8Array) => {
      try {
        strict(bytes);
      } catch (error) {
        return (error as { code?: string }).code;
      }
      return undefined;
    };
    const expected: Record<string, string> = {
      'bad-gap.efi': 'pe/gap',
      'bad-gap-after-sbat.efi': 'pe/gap',
      's-soh-small.efi': 'pe/gap',
      's-bss.efi': 'pe/gap',
      'bad-overlap.efi': 'pe/overlap',
      'bad-va-overlap.efi': 'pe/address-overlap',
      'bad-rawbeyond.efi': 'pe/section-beyond-end',
      'bad-rpbeyond.efi': 'pe/section-beyond-end',
      'bad-trunc-data.efi': 'pe/section-beyond-end',
      'bad-hdr-over-data.efi': 'pe/headers-beyond-end',
      'bad-nsec.efi': 'pe/headers-too-small',
      'bad-opthdr.efi': 'pe/headers-too-small',
      'bad-nsec0.efi': 'pe/bad-section-count',
      'bad-magic.efi': 'pe/bad-optional-header',
      'bad-dirs.efi': 'pe/bad-directory-count',
      'bad-lfanew.efi': 'pe/bad-pe-offset',
      'bad-pesig.efi': 'pe/not-pe',
      's-text.bin': 'pe/not-pe',
      'bad-trunc-hdr.efi': 'pe/truncated',
      'bad-empty.efi': 'pe/truncated',
    };
    for (const [name, want] of Object.entries(expected)) assert.equal(code(vectorFile(name)), want, name);
  });

  it('pe-offsets: offsets and sizes beyond the file are refused', () => {
    for (const value of [0, 4, 0x3f, 0x7fff_ffff, 0xffff_ffff]) {
      assert.throws(() => readPe(edited(DOS_PE_OFFSET, value)), { code: 'pe/bad-pe-offset' });
    }
    const sbat = HEADERS.sections.findIndex(({ name }) => name === '.sbat');
    for (const value of [0x1_0000, 0x7fff_ffff, 0xffff_ffff]) {
      assert.throws(() => readPe(edited(section(sbat, SECTION.sizeOfRawData), value)), {
        code: 'pe/section-beyond-end',
      });
    }
    assert.throws(() => readPe(edited(section(0, SECTION.pointerToRawData), 0xffff_fe00)), {
      code: 'pe/section-beyond-end',
    });
    assert.throws(() => strict(edited(section(sbat, SECTION.virtualSize), 0xffff_ffff)), {
      code: 'pe/address-overlap',
    });
    assert.throws(() => readPe(edited(optional(OPTIONAL.sizeOfHeaders), 0xffff_ffff)), {
      code: 'pe/headers-beyond-end',
    });
    assert.throws(() => readPe(edited(HEADERS.coffOffset + COFF.numberOfSections, 0xffff, 2)), {
      code: 'pe/bad-section-count',
    });
    assert.throws(() => readPe(edited(HEADERS.coffOffset + COFF.sizeOfOptionalHeader, 0xffff, 2)), {
      code: 'pe/truncated',
    });
  });

  it('reads a file in pieces as it reads it whole, wherever it is cut', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(STUB.length), { maxLength: 4 }), (cuts) => {
        const at = [0, ...cuts.toSorted((a, b) => a - b), STUB.length];
        const parts = at.slice(1).map((end, index) => STUB.subarray(at[index], end));
        assert.deepEqual(readPe(parts), HEADERS);
        assert.equal(
          computeCheckSum(parts, HEADERS.checkSumOffset),
          computeCheckSum([STUB], HEADERS.checkSumOffset),
        );
      }),
      { numRuns: 60 },
    );
  });

  it('refuses or reads any damaged header, and never fails otherwise', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(0x300), fc.nat(255)), { minLength: 1, maxLength: 8 }), (edits) => {
        const bytes = Uint8Array.from(STUB);
        for (const [offset, value] of edits) bytes[offset] = value;
        try {
          strict(bytes);
        } catch (error) {
          assert.equal((error as Error).name, 'BootsealError');
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('pe checksum', () => {
  it('is the one that sbsign, osslsigncode and systemd-sbsign write', () => {
    for (const name of [
      'plain-osslsigncode',
      'tail5-sbsign',
      'checksum-systemd-sbsign',
      'ia32-sbsign',
      'uki-sbsign',
    ]) {
      const bytes = vectorFile(`out/sign/${name}.efi`);
      const pe = readPe(bytes);
      assert.equal(pe.checkSum, computeCheckSum([bytes], pe.checkSumOffset), name);
    }
  });

  it('is the folded sum of 16-bit words plus the length, for any bytes and any alignment', () => {
    const reference = (bytes: Uint8Array, field: number): number => {
      let sum = 0;
      for (let at = 0; at < bytes.length; at += 2) {
        const byte = (offset: number) =>
          offset >= bytes.length || (offset >= field && offset < field + 4) ? 0 : bytes[offset];
        sum += byte(at) + byte(at + 1) * 256;
        sum = (sum & 0xffff) + (sum >>> 16);
      }
      return (sum & 0xffff) + bytes.length;
    };
    const input = fc.tuple(fc.uint8Array({ minLength: 8, maxLength: 200 }), fc.nat(7), fc.nat(3));
    fc.assert(
      fc.property(input, ([bytes, cut, shift]) => {
        // A view at any offset of its buffer, in two pieces.
        const moved = new Uint8Array(bytes.length + shift).subarray(shift);
        moved.set(bytes);
        moved[7] = 1;
        const parts = [moved.subarray(0, cut), moved.subarray(cut)];
        assert.equal(computeCheckSum(parts, 2), reference(moved, 2));
      }),
    );
  });
});

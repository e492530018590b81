import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { zstdDecoder } from '../../src/stores/zstd/decoder.ts';
import { inspectUki, sectionOf, shownText } from '../../src/uki/inspect.ts';
import { inspectText } from '../../src/uki/inspect-output.ts';
import { loadableKernel, unameOf } from '../../src/uki/kernel.ts';
import { describeProgram } from '../../src/uki/program.ts';
import { checkSplash } from '../../src/uki/splash.ts';
import type { UkiSection, UkiSections } from '../../src/uki/sections.ts';
import { checkClosed, openSections } from '../../src/uki/closed.ts';
import { gatherParts } from '../../src/bytes/rope.ts';
import { assembleUki } from '../../src/uki/assemble.ts';
import { vectorFile } from '../support/uki-vectors.ts';

const stub = vectorFile('stub-x64.efi');
const linux = vectorFile('k-x64.efi');
const build = (cmdline: string) =>
  gatherParts(assembleUki({ stub, sections: { linux, cmdline: Buffer.from(cmdline) } }));

describe('inspectUki', () => {
  it('gives sections with their exact contents', () => {
    const info = inspectUki(build('a b'));
    assert.equal(info.architecture, 'x64');
    assert.deepEqual(
      info.sections.map(({ name }) => name),
      ['.sbat', '.cmdline', '.linux'],
    );
    assert.deepEqual(Buffer.from(sectionOf(info, '.linux')!.data), Buffer.from(linux));
    assert.equal(sectionOf(info, '.cmdline')?.text, 'a b');
    assert.equal(sectionOf(info, '.initrd'), undefined);
  });

  it('refuses a section that appears twice', () => {
    const sections = [{ name: '.cmdline', data: [Buffer.from('x')] }];
    const uki = gatherParts(
      assembleUki({ stub, sections: { linux, cmdline: Buffer.from('y') }, profiles: [sections] }),
    );
    // Without its .profile the second command line belongs to the first profile.
    const cut = Buffer.from(uki);
    assert.deepEqual(inspectUki(cut).profiles.length, 1);
    const at = cut.indexOf('.profile');
    cut.write('.profilX', at);
    assert.throws(() => inspectUki(cut), { code: 'uki/duplicate-section', exit: 1 });
  });

  it('refuses gaps unless asked to look all the same', () => {
    assert.throws(() => inspectUki(vectorFile('bad-gap.efi')), { code: 'pe/gap' });
    assert.equal(inspectUki(vectorFile('bad-gap.efi'), { anyLayout: true }).sections.length, 1);
  });

  it('shows texts without control characters', () => {
    const info = inspectUki(build('a\u001b[2Jb\0c\0\0'));
    assert.equal(shownText(sectionOf(info, '.cmdline')!), 'a\u001b[2Jb\\0c');
    assert.ok(inspectText(info).includes('    a\\x1b[2Jb\\0c\n'));
    assert.ok(!inspectText(info).includes('\u001b'));
  });
});

describe('closed UKIs', () => {
  const initrd = [Uint8Array.of(1)];
  const open = (sections: UkiSections, profiles: UkiSection[][] = []) =>
    openSections(inspectUki(gatherParts(assembleUki({ stub, sections, profiles }))));
  const section = (name: string, text: string): UkiSection => ({ name, data: [Buffer.from(text)] });

  it('uki-open: bring their own command line and their own initrd', () => {
    const cmdline = Buffer.from('quiet');
    assert.deepEqual(open({ linux, cmdline, initrd }), []);
    assert.deepEqual(open({ linux, cmdline }), ['.initrd']);
    assert.deepEqual(open({ linux, initrd }), ['.cmdline']);
    assert.deepEqual(open({ linux, cmdline: new Uint8Array(0), initrd }), ['.cmdline']);
    const info = inspectUki(gatherParts(assembleUki({ stub, sections: { linux, cmdline } })));
    assert.throws(() => checkClosed(info), { code: 'uki/open', exit: 1 });
  });

  it('uki-open: in every profile', () => {
    const own = [section('.profile', 'ID=a'), section('.cmdline', 'x')];
    const bare = [section('.profile', 'ID=b')];
    assert.deepEqual(open({ linux, initrd, cmdline: Buffer.from('y') }, [own, bare]), []);
    assert.deepEqual(open({ linux, initrd }, [own, bare]), ['.cmdline']);
    assert.deepEqual(open({ linux, initrd }, [own]), ['.cmdline']);
  });
});

describe('kernels', () => {
  const loadable = (name: string) => loadableKernel(vectorFile(name), zstdDecoder());

  it('say their version', () => {
    assert.equal(unameOf(linux), '6.9.1-test.1');
    assert.equal(unameOf(vectorFile('k-elf.bin')), '4.19.0-elf');
    assert.equal(unameOf(vectorFile('k-x64-nohdrs.efi')), undefined);
    assert.equal(unameOf(new Uint8Array(0)), undefined);
    assert.equal(unameOf(Buffer.from('Linux version x Linux version 5.4 (gcc')), '5.4');
  });

  it('are unpacked when firmware could not load them', async () => {
    assert.equal(await loadable('k-x64.efi').then((bytes) => bytes.length), linux.length);
    assert.equal((await loadable('k-zboot-zst.efi')).length, 2560);
    assert.equal((await loadable('k-text.zst')).length, 1008);
    await assert.rejects(loadable('k-gzbad.gz'), { code: 'uki/bad-kernel' });
    await assert.rejects(loadable('k-mzonly.bin'), { code: 'uki/bad-kernel' });
    await assert.rejects(loadable('k-lzo.bin'), { code: 'uki/unsupported-kernel' });
  });
});

describe('boot programs', () => {
  it('uki-sign-any: are told from programs that may start anything', () => {
    assert.equal(describeProgram(stub), 'stub');
    assert.equal(describeProgram(build('')), 'uki');
    assert.equal(describeProgram(vectorFile('addon-x64.efi')), 'addon');
    assert.equal(describeProgram(linux), undefined);
  });
});

describe('splash images', () => {
  const splash = vectorFile('splash.bmp');
  const edited = (offset: number, value: number, size: 1 | 2 | 4 = 4) => {
    const bytes = Buffer.from(splash);
    bytes.writeUIntLE(value, offset, size);
    return bytes;
  };

  it('are embedded as they are', () => assert.equal(checkSplash(splash), splash));

  it('uki-splash: palettes and sizes that do not fit are refused', () => {
    const cases: [number, number, 1 | 2 | 4][] = [
      [0, 0x4142, 2],
      [2, 0xffff_ffff, 4],
      [10, 0xffff_ffff, 4],
      [10, 14, 4],
      [14, 12, 4],
      [18, 0, 4],
      [18, 0x7fff_ffff, 4],
      [18, 0xffff_ffff, 4],
      [22, 0x8000_0000, 4],
      [22, 30_000, 4],
      [26, 2, 2],
      [28, 7, 2],
      [30, 1, 4],
      [46, 0x4000_0000, 4],
    ];
    for (const [offset, value, size] of cases) {
      assert.throws(
        () => checkSplash(edited(offset, value, size)),
        { code: 'uki/bad-splash' },
        `${value} at ${offset}`,
      );
    }
    for (let length = 0; length < splash.length; length += 1) {
      assert.throws(() => checkSplash(splash.subarray(0, length)), { code: 'uki/bad-splash' });
    }
  });
});

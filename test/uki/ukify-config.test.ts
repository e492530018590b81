import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseUkifyConfig } from '../../src/uki/ukify-config.ts';

const parse = (text: string) => {
  const warnings: string[] = [];
  return { config: parseUkifyConfig(text, (message) => warnings.push(message)), warnings };
};

describe("ukify's configuration file", () => {
  it('gives options, the last of two winning', () => {
    const { config, warnings } = parse(
      '# c\n[UKI]\nLinux=a\nLinux = b # which\nInitrd=one  two\nCmdline=x y\nBogus=1\n',
    );
    assert.deepEqual(config, { linux: ['b'], initrd: ['one', 'two'], cmdline: ['x y'] });
    assert.deepEqual(warnings, ['Unknown config setting [UKI] Bogus=']);
  });

  it('goes on with indented lines', () => {
    const { config } = parse('[UKI]\nCmdline=a\n  b\n\tc\nSBAT=sbat,1,x\n acme,1,A,a,1,u\n');
    assert.deepEqual(config, { cmdline: ['a\nb\nc'], sbat: ['sbat,1,x\nacme,1,A,a,1,u'] });
    assert.deepEqual(parse('[UKI]\nCmdline=a#b\n # c\n  d\n').config, { cmdline: ['a#b\nd'] });
  });

  it('refuses what it would have to leave out', () => {
    for (const text of [
      '[UKI]\nPCRBanks=sha256',
      '[PCRSignature:x]\nPCRPrivateKey=k',
      'Linux=a',
      '[UKI]\nLinux',
      '[UKI]\n=x',
    ]) {
      assert.throws(() => parse(text), { code: 'uki/config', exit: 2 }, text);
    }
    assert.throws(() => parse('[UKI]\n\nnonsense'), { where: 'line 3' });
  });
});

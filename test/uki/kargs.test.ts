import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { kargsFromToml } from '../../src/uki/kargs.ts';

const file = (name: string, text: string) => ({ name, bytes: Buffer.from(text) });
const kargs = (...files: ReturnType<typeof file>[]) => kargsFromToml(files, 'x86_64');

describe('kargs.d', () => {
  it('joins files in the order of their names', () => {
    const files = [
      file('20-b.toml', 'kargs = ["b", "c=d e"]'),
      file('10-a.toml', 'kargs = ["a"]'),
      file('README', 'not TOML'),
      file('10-A.toml', 'kargs = ["first"]'),
    ];
    assert.deepEqual(kargs(...files), ['first', 'a', 'b', 'c=d e']);
    assert.deepEqual(kargs(), []);
    assert.deepEqual(kargs(file('a.toml', 'kargs = []')), []);
  });

  it('heeds match-architectures', () => {
    const arm = 'kargs = ["arm"]\nmatch-architectures = ["aarch64"]';
    assert.deepEqual(kargs(file('a.toml', arm)), []);
    assert.deepEqual(kargsFromToml([file('a.toml', arm)], 'aarch64'), ['arm']);
    const both = 'kargs = ["both"]\nmatch-architectures = ["aarch64", "x86_64"]';
    assert.deepEqual(kargs(file('a.toml', both)), ['both']);
    assert.deepEqual(kargs(file('a.toml', 'kargs = ["none"]\nmatch-architectures = []')), []);
  });

  it('refuses what bootc refuses, and says where', () => {
    const refused = (text: string, code: string) =>
      assert.throws(
        () => kargs(file('a.toml', text)),
        (error: { code: string; where: string }) => {
          assert.equal(error.code, code, text);
          assert.match(error.where, /^a\.toml/);
          return true;
        },
      );
    refused('', 'kargs/bad-value');
    refused('karg = ["a"]', 'kargs/bad-value');
    refused('kargs = ["a"]\nmatch-architecture = ["x86_64"]', 'kargs/bad-value');
    refused('kargs = "a"', 'kargs/bad-value');
    refused('kargs = ["a", 1]', 'kargs/bad-value');
    refused('kargs = ["a\\nb"]', 'kargs/bad-value');
    refused('kargs = ["a\\u0000"]', 'kargs/bad-value');
    refused('kargs = ["a"', 'kargs/syntax');
    refused('kargs = ["a"]\nkargs = ["b"]', 'kargs/syntax');
    assert.throws(() => kargs(file('a.toml', 'kargs = [\n"a"\n"b"]')), { where: 'a.toml:3:1' });
    const latin1 = { name: 'a.toml', bytes: Uint8Array.of(0x23, 0xff) };
    assert.throws(() => kargsFromToml([latin1], 'x86_64'), { code: 'kargs/not-utf8' });
    const large = { name: 'a.toml', bytes: new Uint8Array(70_000) };
    assert.throws(() => kargsFromToml([large], 'x86_64'), { code: 'kargs/too-large' });
  });

  it('refuses an unusable file even where it would not apply', () => {
    const text = 'kargs = [1]\nmatch-architectures = ["aarch64"]';
    assert.throws(() => kargs(file('a.toml', text)), { code: 'kargs/bad-value' });
  });
});

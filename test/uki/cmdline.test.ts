import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { composefsKarg, normaliseCmdline, parseCmdline } from '../../src/uki/cmdline.ts';
import { splitLines, splitWords } from '../../src/uki/python-text.ts';

const SHA256 = 'ab'.repeat(32);
const SHA512 = 'cd'.repeat(64);

describe('composefsKarg', () => {
  it('finds the digest in every form', () => {
    assert.equal(composefsKarg('rw console=ttyS0'), undefined);
    assert.equal(composefsKarg(''), undefined);
    assert.deepEqual(composefsKarg(`rw composefs=${SHA512} quiet`), { digest: SHA512, optional: false });
    assert.deepEqual(composefsKarg(`composefs=${SHA256}`), { digest: SHA256, optional: false });
    assert.deepEqual(composefsKarg(`composefs=?${SHA512}`), { digest: SHA512, optional: true });
    assert.deepEqual(composefsKarg(`composefs.digest=v1-sha512-12:${SHA512}`), {
      digest: SHA512,
      optional: false,
    });
    assert.deepEqual(composefsKarg(`composefs.digest=?v2-sha256-12:${SHA256}`), {
      digest: SHA256,
      optional: true,
    });
  });

  it('sees through quotes and padding, and not into values', () => {
    assert.deepEqual(composefsKarg(`"composefs=${SHA512}"`), { digest: SHA512, optional: false });
    assert.deepEqual(composefsKarg(`composefs="${SHA512}"`), { digest: SHA512, optional: false });
    assert.deepEqual(composefsKarg(Buffer.from(`composefs=${SHA512}\0\0`)), {
      digest: SHA512,
      optional: false,
    });
    assert.deepEqual(composefsKarg(`composefs=${SHA512}\n`), { digest: SHA512, optional: false });
    assert.equal(composefsKarg(`foo="bar composefs=${SHA512}"`), undefined);
    assert.equal(composefsKarg(`xcomposefs=${SHA512} rd.composefs=${SHA512}`), undefined);
  });

  it('accepts a repetition, and refuses two answers', () => {
    assert.deepEqual(composefsKarg(`composefs=${SHA512} composefs=${SHA512}`), {
      digest: SHA512,
      optional: false,
    });
    for (const second of [`composefs=${'ef'.repeat(64)}`, `composefs=?${SHA512}`, `composefs=${SHA256}`]) {
      assert.throws(() => composefsKarg(`composefs=${SHA512} ${second}`), {
        code: 'uki/composefs-ambiguous',
        exit: 1,
      });
    }
  });

  it('refuses what is no digest', () => {
    const values = [
      '',
      '?',
      'abc',
      SHA512.slice(1),
      `${SHA512}0`,
      SHA512.toUpperCase(),
      `??${SHA512}`,
      `${SHA512},x`,
    ];
    for (const value of values) {
      assert.throws(() => composefsKarg(`composefs=${value}`), { code: 'uki/bad-composefs-karg' }, value);
    }
    assert.throws(() => composefsKarg('composefs'), { code: 'uki/bad-composefs-karg' });
    assert.throws(() => composefsKarg(`composefs.digest=v1-sha512-12:${SHA256}`), {
      code: 'uki/bad-composefs-karg',
    });
    assert.throws(() => composefsKarg(`composefs.digest=${SHA512}`), { code: 'uki/bad-composefs-karg' });
  });

  it('refuses bytes that readers see differently', () => {
    assert.throws(() => composefsKarg(`a\0composefs=${SHA512}`), { code: 'uki/bad-cmdline' });
    assert.throws(() => composefsKarg(Uint8Array.of(0x61, 0xff)), { code: 'uki/bad-cmdline' });
    assert.throws(() => composefsKarg('x'.repeat(70_000)), { code: 'uki/cmdline-too-long' });
  });
});

describe('parseCmdline', () => {
  it('splits as the kernel does', () => {
    assert.deepEqual(parseCmdline('  a b=1  c="x  y" "d=e f"\tg="" h='), [
      { name: 'a', value: undefined },
      { name: 'b', value: '1' },
      { name: 'c', value: 'x  y' },
      { name: 'd', value: 'e f' },
      { name: 'g', value: '' },
      { name: 'h', value: '' },
    ]);
    assert.deepEqual(parseCmdline('a="open b'), [{ name: 'a', value: 'open b' }]);
    assert.deepEqual(parseCmdline('a=b=c'), [{ name: 'a', value: 'b=c' }]);
  });

  it('gives back arguments joined by spaces', () => {
    const word = fc.stringMatching(/^[a-z][a-z0-9.]{0,8}$/);
    fc.assert(
      fc.property(fc.array(fc.tuple(word, fc.option(word, { nil: undefined }))), (pairs) => {
        const list = pairs.map(([name, value]) => ({ name, value }));
        const text = list
          .map(({ name, value }) => (value === undefined ? name : `${name}=${value}`))
          .join(' ');
        assert.deepEqual(parseCmdline(text), list);
      }),
    );
  });
});

describe('texts as Python splits them', () => {
  it('normalises command lines like ukify', () => {
    assert.equal(normaliseCmdline('  a \t b\n  c  '), 'a b c');
    assert.equal(normaliseCmdline('a="x  y"'), 'a="x y"');
    assert.equal(normaliseCmdline('a\u00a0b\u0085c\u2003d\u001fe'), 'a b c d e');
    assert.equal(normaliseCmdline('a\u200bb\ufeffc'), 'a\u200bb\ufeffc');
  });

  it('knows more line ends than JavaScript', () => {
    assert.deepEqual(splitLines('a\r\nb\rc\nd\u0085e\u2028f\u001cg\u000bh'), [
      'a',
      'b',
      'c',
      'd',
      'e',
      'f',
      'g',
      'h',
    ]);
    assert.deepEqual(splitLines('a\n\n'), ['a', '']);
    assert.deepEqual(splitLines(''), []);
    assert.deepEqual(splitWords(''), []);
  });
});

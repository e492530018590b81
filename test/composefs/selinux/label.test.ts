/** Labels of images: where the policy is found, and what it does to the tree. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodeUtf8 } from '../../../src/bytes/bytes.ts';
import { transformForBoot } from '../../../src/composefs/transform.ts';
import { lookup, type Tree } from '../../../src/composefs/tree.ts';
import { archive, directory, entry, file, layer, SKELETON, treeOf } from '../../support/layers.ts';

const FILES = 'etc/selinux/t/contexts/files';
const LONG = `# ${'x'.repeat(100)}\n`;

function withPolicy(specs: string, ...more: readonly Uint8Array[]): Uint8Array[] {
  const folders = ['etc/selinux', 'etc/selinux/t', 'etc/selinux/t/contexts', FILES].map((path) =>
    directory(path),
  );
  const config = file('etc/selinux/config', 'SELINUXTYPE=t\n');
  return [...SKELETON, ...folders, config, file(`${FILES}/file_contexts`, specs), ...more];
}

async function labelled(...parts: readonly Uint8Array[]): Promise<Tree> {
  return transformForBoot(await treeOf([layer(archive(...parts))]), { bootNsec: 'keep' });
}

function label(tree: Tree, path: string): string | undefined {
  const value = lookup(tree, path)?.stat.xattrs.get('security.selinux');
  return value && Buffer.from(value).toString();
}

describe('labels', () => {
  it('replace those of the layer, and keep other attributes', async () => {
    const xattrs = new Map([
      ['security.selinux', encodeUtf8('old')],
      ['user.x', encodeUtf8('x')],
    ]);
    const tree = await labelled(
      ...withPolicy('/usr/.* new\n/usr/none <<none>>\n'),
      file('usr/a', 'a', { xattrs }),
      file('usr/none', '', { xattrs }),
    );
    assert.equal(label(tree, 'usr/a'), 'new');
    assert.equal(label(tree, 'usr/none'), undefined);
    assert.equal(label(tree, 'usr'), undefined);
    assert.ok(lookup(tree, 'usr/a')?.stat.xattrs.has('user.x'));
  });

  it('leave the tree that was given as it was', async () => {
    const tree = await treeOf([layer(archive(...withPolicy('/.* new\n'), file('usr/a', 'a')))]);
    transformForBoot(tree, { bootNsec: 'keep' });
    assert.equal(label(tree, 'usr/a'), undefined);
  });

  it('split a hardlink at the first name that wants another, or not, by the rules of the release', async () => {
    const links = ['b', 'c', 'd'].map((name) => entry(`usr/${name}`, 'hardlink', { linkTarget: 'usr/a' }));
    const parts = withPolicy('/usr/. one\n/usr/[cd] two\n', file('usr/a', 'a'), ...links);
    const split = await labelled(...parts);
    assert.deepEqual(
      ['a', 'b', 'c', 'd'].map((name) => label(split, `usr/${name}`)),
      ['one', 'one', 'two', 'two'],
    );
    assert.equal(lookup(split, 'usr/a'), lookup(split, 'usr/b'));
    assert.notEqual(lookup(split, 'usr/c'), lookup(split, 'usr/d'));
    const tree = await treeOf([layer(archive(...parts))]);
    const whole = transformForBoot(tree, { bootNsec: 'keep', splitHardlinks: false });
    assert.equal(lookup(whole, 'usr/a'), lookup(whole, 'usr/d'));
    assert.equal(label(whole, 'usr/a'), 'two');
  });

  it('come from a policy that is a hardlink to a file under any name, in a lower layer', async () => {
    const store = `${LONG}/usr/a stored\n`;
    const [first, ...rest] = withPolicy('');
    const lower = archive(first, ...rest, file('usr/object', store), file('usr/a', 'a'));
    const upper = archive(entry(`${FILES}/file_contexts`, 'hardlink', { linkTarget: 'usr/object' }));
    const tree = await treeOf([layer(lower), layer(upper)]);
    assert.equal(label(transformForBoot(tree, { bootNsec: 'keep' }), 'usr/a'), 'stored');
  });

  it('follow aliases, which end in what they end in for the first child only', async () => {
    const tree = await labelled(
      ...withPolicy(
        '/x//a first\n/x/b second\n/x/./a never\n',
        file(`${FILES}/file_contexts.subs`, '/usr/d /x//\n'),
        directory('usr/d'),
        file('usr/d/a', ''),
        file('usr/d/b', ''),
      ),
    );
    // The slashes are there once already: "/x//" and "a".
    assert.equal(label(tree, 'usr/d/a'), 'first');
    assert.equal(label(tree, 'usr/d/b'), 'second');
  });
});

describe('policies that are refused', () => {
  const rows: readonly [name: string, parts: readonly Uint8Array[], code: string, where: RegExp][] = [
    ['one field', withPolicy('/a b\n/x\n'), 'composefs/bad-selinux-policy', /file_contexts:2$/],
    ['a type without a context', withPolicy('/x --\n'), 'composefs/bad-selinux-policy', /:1$/],
    ['an unknown type', withPolicy('/x -x c\n'), 'composefs/bad-selinux-policy', /:1$/],
    ['four fields', withPolicy('/x -- c d\n'), 'composefs/bad-selinux-policy', /:1$/],
    [
      'an alias of one field',
      withPolicy('', file(`${FILES}/file_contexts.subs_dist`, '\n/x\n')),
      'composefs/bad-selinux-policy',
      /subs_dist:2$/,
    ],
    ['a pattern of no engine', withPolicy('# x\n\n+a c\n'), 'composefs/bad-selinux-pattern', /:3$/],
    [
      'bytes that are not UTF-8',
      withPolicy('', file(`${FILES}/file_contexts.local`, Uint8Array.of(0xff))),
      'composefs/bad-selinux-policy',
      /local:1$/,
    ],
    [
      'a symbolic link',
      withPolicy('', entry(`${FILES}/file_contexts`, 'symlink', { linkTarget: 'x' })),
      'composefs/bad-selinux-policy',
      /file_contexts$/,
    ],
    [
      'a config that is a folder',
      [...SKELETON, directory('etc/selinux'), directory('etc/selinux/config')],
      'composefs/bad-selinux-policy',
      /config$/,
    ],
    [
      'no policy of that name',
      [...SKELETON, directory('etc/selinux'), file('etc/selinux/config', 'SELINUXTYPE=no\n')],
      'composefs/bad-selinux-policy',
      /no\/contexts/,
    ],
    [
      'a name that leads out',
      [...SKELETON, directory('etc/selinux'), file('etc/selinux/config', 'SELINUXTYPE=../t\n')],
      'composefs/bad-selinux-config',
      /config$/,
    ],
  ];
  for (const [name, parts, code, where] of rows) {
    it(name, async () => {
      await assert.rejects(labelled(...parts), (error: { code: string; where?: string }) => {
        assert.equal(error.code, code);
        assert.match(error.where ?? '', where);
        return true;
      });
    });
  }
});

describe('speed', () => {
  it('8,000 patterns on 150,000 paths take seconds', async () => {
    const specs = Array.from({ length: 8000 }, (_, at) => {
      const name = (at * 2_654_435_761).toString(36).slice(-6);
      return [`/usr/(s)?bin/${name}`, `/usr/lib(64)?/${name}(/.*)?`, `/usr/(.*/)?${name}`, `/etc/${name}.*`][
        at % 40 === 2 ? 2 : at % 4 === 2 ? 0 : at % 4
      ];
    });
    const tree = await treeOf([
      layer(archive(...withPolicy(specs.map((spec) => `${spec} c:${spec.length}`).join('\n')))),
    ]);
    const usr = lookup(tree, 'usr');
    assert.ok(usr?.kind === 'directory');
    for (let folder = 0; folder < 1500; folder++) {
      const children = new Map();
      for (let at = 0; at < 100; at++) {
        children.set(`file-${folder}-${at}.so`, { kind: 'fifo' as const, stat: usr.stat });
      }
      usr.children.set(`lib${folder}`, { kind: 'directory', stat: usr.stat, children });
    }
    const start = performance.now();
    transformForBoot(tree, { bootNsec: 'keep' });
    assert.ok(performance.now() - start < 15_000, `${performance.now() - start} ms`);
  });
});

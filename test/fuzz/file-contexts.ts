/** Files of an SELinux policy: lines, patterns for both engines, aliases, and matching paths with what they compile to. */
import { encodeUtf8 } from '../../src/bytes/bytes.ts';
import { parseFileContexts } from '../../src/composefs/selinux/file-contexts.ts';
import { relabel } from '../../src/composefs/selinux/relabel.ts';
import { EMPTY_STAT, emptyTree, type Directory } from '../../src/composefs/tree.ts';
import type { FuzzTarget } from './harness.ts';

const NAMES = ['usr', 'bin', 'a.so.1', 'x\ny', '\xc3\xa9', '\xff'];

export const target: FuzzTarget = {
  name: 'file-contexts',
  seeds: () =>
    [
      '/.* system_u:object_r:default_t:s0\n/usr(/.*)? -d c\n# comment\n\n/usr/bin/[^/]+ -- <<none>>\n',
      String.raw`/(?!x)a*+(?>b)(c)\2\h[[:alpha:]-] c` + '\n/é{1,3}[a-z&&[^b]]\\x{e9} -l c\r\n',
      String.raw`/(?i)a|(?<=b)c|\Qd.e\E{2}|(?P<n>f)(?P=n) c`,
      '/a)|(b{2,} -s c\n/\\w+\\b.* -p c\n',
    ].map((text) => encodeUtf8(text)),
  run(bytes) {
    const file = { path: '/file_contexts', bytes };
    // As patterns, and as aliases where it is that too.
    const contexts = parseFileContexts({ specs: [file], aliases: [] });
    const tree = emptyTree();
    let directory: Directory = tree.root;
    for (const name of NAMES) {
      directory.children.set(`${name}-`, { kind: 'fifo', stat: EMPTY_STAT });
      const child: Directory = { kind: 'directory', stat: EMPTY_STAT, children: new Map() };
      directory.children.set(name, child);
      directory = child;
    }
    relabel(tree, contexts, { splitHardlinks: true });
    parseFileContexts({ specs: [], aliases: [file] });
  },
};

/** A dump text as an operating system gives one: directories of two dozen files, labels, contents elsewhere and inline. */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';

const LABELS = ['usr_t', 'bin_t', 'lib_t', 'etc_t'];
const FILES_A_DIRECTORY = 25;

/** Writes a text of so many entries. The same number gives the same text. */
export function writeBigDump(path: string, entries: number): void {
  const lines: string[] = [];
  const add = (name: string, fields: string): void => {
    const label = LABELS[lines.length % LABELS.length];
    lines.push(`${name} ${fields} security.selinux=system_u:object_r:${label}:s0\\x00\n`);
  };
  const time = (): number => 1_700_000_000 + ((lines.length * 7919) % 1_000_000);
  add('/', `4096 40755 3 0 0 0 ${time()}.0 - - -`);
  add('/usr', `4096 40755 ${2 + Math.ceil(entries / FILES_A_DIRECTORY)} 0 0 0 ${time()}.0 - - -`);
  for (let directory = 0; lines.length < entries; directory++) {
    const folder = `/usr/directory-${String(directory).padStart(5, '0')}`;
    add(folder, `4096 40755 2 0 0 0 ${time()}.0 - - -`);
    for (let file = 0; file < FILES_A_DIRECTORY && lines.length < entries; file++) {
      const name = `${folder}/a-file-of-some-name-${String(file).padStart(4, '0')}.so`;
      const kind = lines.length % 20;
      if (kind < 15) {
        const digest = createHash('sha256').update(name).digest('hex');
        const payload = `${digest.slice(0, 2)}/${digest.slice(2)}`;
        const nanos = (lines.length * 104_729) % 1_000_000_000;
        add(name, `${65 + lines.length} 100644 1 0 0 0 ${time()}.${nanos} ${payload} - ${digest}`);
      } else if (kind < 17) add(name, `22 120777 1 0 0 0 ${time()}.0 ../../lib/library.so.1 - -`);
      else if (kind < 19) add(name, `11 100644 1 0 0 0 ${time()}.0 - hello\\x20world -`);
      else add(name, `0 100600 1 0 0 0 ${time()}.0 - - -`);
    }
  }
  writeFileSync(path, lines.join(''));
}

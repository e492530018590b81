/** What getfattr prints, cut in two. */
import { encodeLatin1 } from '../../src/bytes/bytes.ts';
import { createXattrReader } from '../../src/formats/getfattr/reader.ts';
import type { FuzzTarget } from './harness.ts';

export const target: FuzzTarget = {
  name: 'getfattr',
  seeds: () => [
    encodeLatin1(
      '# file: a\nuser.x=0x00ff\nsecurity.capability=0x0100000200200000\n\n# file: b\\012c\nuser.y\\075=0x\n\n',
    ),
  ],
  run(bytes) {
    const reader = createXattrReader(() => undefined);
    const middle = bytes.length >> 1;
    reader.push(bytes.subarray(0, middle));
    reader.push(bytes.subarray(middle));
    reader.end();
  },
};

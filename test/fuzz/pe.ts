/** PE files and what is looked for in them: headers, layout, UKI sections, kernels, stubs. */
import { checkLayout, readPe } from '../../src/formats/pe/reader.ts';
import { inspectUki } from '../../src/uki/inspect.ts';
import { inspectText } from '../../src/uki/inspect-output.ts';
import { unameOf } from '../../src/uki/kernel.ts';
import { describeProgram } from '../../src/uki/program.ts';
import { prepareStub } from '../../src/uki/stub.ts';
import { vectorFile } from '../support/uki-vectors.ts';
import type { FuzzTarget } from './harness.ts';

export const target: FuzzTarget = {
  name: 'pe',
  seeds: () =>
    ['addon-x64.efi', 'stub-x64.efi', 's-ia32.efi', 'stub-x64-symtab-tail.efi', 'k-x64.efi'].map(vectorFile),
  run(bytes) {
    unameOf(bytes);
    checkLayout(readPe(bytes));
    describeProgram(bytes);
    inspectText(inspectUki(bytes));
    prepareStub(bytes);
  },
};

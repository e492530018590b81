/** The error class: its brand, its defaults, and details that are added later. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BootsealError, isBootsealError, withDetails } from '../src/errors.ts';

test('without more, nothing was decided: exit status 3', () => {
  const error = new BootsealError('tar/truncated', 'the archive ends early');
  assert.equal(error.exit, 3);
  assert.equal(error.name, 'BootsealError');
  assert.equal(error.cause, undefined);
});

test('errors of another copy of the package are known by their brand', () => {
  const foreign = new Error('from elsewhere');
  assert.equal(isBootsealError(foreign), false);
  Object.defineProperty(foreign, Symbol.for('bootseal.error'), { value: true });
  assert.equal(isBootsealError(foreign), true);
  for (const other of [undefined, null, 'text', 7]) assert.equal(isBootsealError(other), false);
});

test('what is known first stays, what is added fills the gaps, but the exit status may be changed', () => {
  const cause = new TypeError('inner');
  const first = new BootsealError('tar/bad-checksum', 'wrong', { offset: 512, hint: 'first', cause });
  const more = withDetails(first, { where: 'layer 2', hint: 'second', exit: 1 });
  assert.equal(more.hint, 'first');
  assert.equal(more.where, 'layer 2');
  assert.equal(more.offset, 512);
  assert.equal(more.exit, 1);
  assert.equal(more.cause, cause);
  assert.equal(more.stack, first.stack);
});

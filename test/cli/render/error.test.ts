/** Errors for people and as JSON. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeError, failureJson, renderFailure } from '../../../src/cli/render/error.ts';
import { plainStyle } from '../../../src/cli/render/style.ts';
import { BootsealError } from '../../../src/errors.ts';

const error = new BootsealError('tar/bad-checksum', 'the header checksum is wrong: \u001b[2J', {
  where: 'layer 2, etc/passwd',
  offset: 512,
  hint: 'fetch the image again:\nbootseal copy A B',
  exit: 1,
  cause: new TypeError('inner'),
});

test('cause, where, hint, code; control characters escaped; no stack', () => {
  assert.equal(
    renderFailure(describeError(error), plainStyle, false),
    `error: the header checksum is wrong: \\x1b[2J
  where  layer 2, etc/passwd, byte 512
  hint   fetch the image again:
         bootseal copy A B
  code   tar/bad-checksum
`,
  );
});

test('BOOTSEAL_DEBUG=1 adds the stack and the causes', () => {
  const text = renderFailure(describeError(error), plainStyle, true);
  assert.match(text, /error\.test\.(js|ts)/);
  assert.match(text, /caused by: TypeError: inner/);
});

test("the exit status is the error's own; an unknown error is ours, and decides nothing", () => {
  assert.equal(describeError(error).exit, 1);
  const unknown = describeError(new TypeError('x is undefined'));
  assert.equal(unknown.exit, 3);
  assert.match(
    renderFailure(unknown, plainStyle, false),
    /^error: internal error: x is undefined\n.*BOOTSEAL_DEBUG=1/,
  );
  assert.equal(describeError({ thrown: 'object' }).exit, 3);
});

test('causes that point at one another end', () => {
  const loop = new Error('loop');
  loop.cause = loop;
  assert.match(describeError(loop).trace, /loop/);
});

test('as JSON', () => {
  assert.deepEqual(JSON.parse(failureJson(describeError(error))), {
    schema: 1,
    ok: false,
    error: {
      code: 'tar/bad-checksum',
      message: 'the header checksum is wrong: \u001b[2J',
      where: 'layer 2, etc/passwd',
      offset: 512,
      hint: 'fetch the image again:\nbootseal copy A B',
    },
  });
});

/** Progress: silent at first, plain lines where there is no terminal, bars where there is one. */
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { createProgress, type ProgressStream } from '../../src/cli/progress.ts';
import { bytesText, countText, secondsText } from '../../src/cli/render/units.ts';

interface Recorder extends ProgressStream {
  text: string;
}

/** As much of a terminal as the bars use. */
function recorder(isTTY: boolean): Recorder {
  const terminal = {
    text: '',
    isTTY,
    columns: 100,
    write(text: string) {
      this.text += text;
      return true;
    },
    on: () => undefined,
    removeListener: () => undefined,
    cursorTo: () => true,
    moveCursor: () => true,
    clearLine: () => true,
    clearScreenDown: () => true,
  };
  return terminal;
}

function linesOf(stream: Recorder): number {
  return stream.text.split('\n').length - 1;
}

test('away from a terminal: a plain line every 10 seconds', async () => {
  mock.timers.enable({ apis: ['setInterval', 'setTimeout', 'Date'] });
  try {
    const stream: Recorder = recorder(false);
    const progress = await createProgress({ stream, env: {}, silent: false });
    const bar = progress.start('layer \u001b[2J1', 40 * 1024 * 1024);
    mock.timers.tick(9000);
    assert.equal(stream.text, '');
    bar.advance(10 * 1024 * 1024);
    mock.timers.tick(1000);
    assert.equal(stream.text, 'layer \\x1b[2J1  10.0 MiB of 40.0 MiB  1.0 MiB/s  30 s left\n');
    bar.done();
    mock.timers.tick(10_000);
    assert.equal(linesOf(stream), 1);
    progress.stop();
  } finally {
    mock.timers.reset();
  }
});

test('at a terminal: nothing in the first second, then bars and a total, then a summary line', async () => {
  mock.timers.enable({ apis: ['setInterval', 'setTimeout', 'Date'] });
  try {
    const stream = recorder(true);
    const progress = await createProgress({ stream, env: {}, silent: false });
    const one = progress.start('layer 1', 1024 * 1024);
    progress.start('layer 2', 1024 * 1024);
    one.advance(512 * 1024);
    mock.timers.tick(900);
    assert.equal(stream.text, '');
    for (let i = 0; i < 6; i++) mock.timers.tick(100);
    assert.match(stream.text, /layer 1 +█{12}░{12} {2}512\.0 KiB of 1\.0 MiB/);
    assert.match(stream.text, /total +█{6}░{18} {2}512\.0 KiB of 2\.0 MiB/);
    progress.stop();
    assert.match(stream.text, /512\.0 KiB in 1\.5 s \(341\.3 KiB\/s\)\n$/);
    progress.stop();
  } finally {
    mock.timers.reset();
  }
});

test('--quiet: nothing', async () => {
  const stream = recorder(true);
  const progress = await createProgress({ stream, env: {}, silent: true });
  progress.start('layer 1', 10).advance(10);
  progress.stop();
  assert.equal(stream.text, '');
});

test('sizes, times and counts', () => {
  assert.deepEqual([0, 1023, 1024, 1024 ** 2 - 1, 1.5 * 1024 ** 3].map(bytesText), [
    '0 B',
    '1023 B',
    '1.0 KiB',
    '1.0 MiB',
    '1.5 GiB',
  ]);
  assert.deepEqual([0.04, 9.94, 9.96, 59.4, 60, 3725].map(secondsText), [
    '0.0 s',
    '9.9 s',
    '10 s',
    '59 s',
    '1 min 0 s',
    '62 min 5 s',
  ]);
  assert.deepEqual([0, 999, 1000, 61_204, 1_234_567].map(countText), [
    '0',
    '999',
    '1,000',
    '61,204',
    '1,234,567',
  ]);
});

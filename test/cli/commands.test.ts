/** The table of commands: every one loads, explains itself, and its examples are command lines that it takes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commands, findCommand } from '../../src/cli/commands.ts';
import { commonFlags } from '../../src/cli/common-flags.ts';
import { commandHelp } from '../../src/cli/render/help.ts';
import { problemOf } from '../support/command-lines.ts';

test('no two commands have the same words, and none hides another', () => {
  const names = commands.map((entry) => entry.path.join(' '));
  assert.equal(new Set(names).size, names.length);
  // Whoever is both a command and the first word of others must not swallow them.
  for (const entry of commands) assert.equal(findCommand(entry.path), entry, entry.path.join(' '));
});

for (const entry of commands) {
  const name = entry.path.join(' ');
  test(`${name}: help and examples`, async () => {
    const { command } = await entry.load();
    assert.match(entry.summary, /^[a-z]/);
    assert.ok(entry.examples.length > 0);
    const problems = await Promise.all(
      entry.examples
        .filter((example) => example.startsWith('bootseal '))
        .map(async (example) => [example, await problemOf(example)]),
    );
    assert.deepEqual(
      problems.filter(([, problem]) => problem !== undefined),
      [],
    );
    for (const [flag, { brief }] of Object.entries(command.flags)) {
      assert.notEqual(brief, '', flag);
      assert.ok(!(flag in commonFlags), `--${flag} is a common option`);
    }
    const help = commandHelp(entry, command);
    const [text] = help.split('\nExamples:\n');
    assert.deepEqual(
      text.split('\n').filter((line) => line.length > 100),
      [],
    );
  });
}

/** Runs every transcript beside this file. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { projectRoot } from '../support/project.ts';
import { runTranscript } from './runner.ts';

const folder = join(projectRoot(), 'test', 'transcripts');

for (const file of readdirSync(folder)
  .filter((name) => name.endsWith('.txt'))
  .sort()) {
  test(`transcript ${file}`, () => runTranscript(join(folder, file)));
}

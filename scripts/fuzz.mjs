// npm run fuzz -- TARGET|all [SECONDS [SEED]]: builds the tests and runs test/fuzz/worker.ts.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const steps = [
  ['node_modules/.bin/tsc', '-p', 'tsconfig.test.json'],
  [process.execPath, '.build/test/fuzz/worker.js', ...process.argv.slice(2)],
];
for (const [program, ...args] of steps) {
  const { status } = spawnSync(program, args, { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

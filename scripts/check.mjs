/** npm run check: compiles, and runs every fast check and the architecture test. Under a minute. */
import { build, installNpmPackages } from './lib/bootstrap.mjs';
import { runChecks } from './lib/checks.mjs';
import { script } from './lib/run.mjs';
import { runTests } from './lib/tests.mjs';

await script(() => {
  installNpmPackages();
  build({ tests: true });
  runChecks();
  runTests(['test/architecture.test.ts']);
});

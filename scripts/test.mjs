/**
 * npm test [-- PATH…]       everything that needs no virtual machine and no tree of peer programs
 * npm run test:all          that, the comparisons with the peers, and the end-to-end tests
 *
 * PATH: only the test files whose path begins with it, slow or not, for example test/formats; no other checks.
 */
import { build, fetchPackageLists, installDebianPackages, installNpmPackages } from './lib/bootstrap.mjs';
import { runChecks } from './lib/checks.mjs';
import { root, run, say, script } from './lib/run.mjs';
import { runTests, testFiles } from './lib/tests.mjs';

const all = process.argv.includes('--all');
const wanted = process.argv.slice(2).filter((argument) => argument !== '--all');

await script(() => {
  installNpmPackages();
  installDebianPackages(all ? 'all' : 'test');
  fetchPackageLists();
  build({ tests: true });
  if (wanted.length === 0) runChecks();
  if (all) {
    run(`${root}/scripts/peers`, []);
    run(`${root}/scripts/peers`, ['referrers'], { quiet: true });
    for (const version of ['0.9.0', '0.9.4'])
      run(`${root}/scripts/peers`, ['cfsctl', version], { quiet: true });
  }
  const files = testFiles().filter(({ path, fast }) =>
    wanted.length === 0 ? all || fast : wanted.some((prefix) => path.startsWith(prefix)),
  );
  runTests(files.map(({ path }) => path));
  const left = testFiles().length - files.length;
  if (left > 0 && wanted.length === 0) say(`${left} slow test files left out; all of them: npm run test:all`);
});

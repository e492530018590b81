/**
 * npm run demo: from a fresh clone to a sealed, signed and verified image, and to every way of breaking it being
 * refused. Installs what it needs, and says so before. Results stay in demo-output/; a second run keeps the keys
 * and comes to the same digests.
 */
import { build, fetchPackageLists, installDebianPackages, installNpmPackages } from './lib/bootstrap.mjs';
import { isInstalled, say, script } from './lib/run.mjs';

await script(async () => {
  const start = Date.now();
  installNpmPackages();
  const missing = installDebianPackages('demo');
  if (isInstalled('apt-get')) fetchPackageLists();
  build({ tests: true });
  // What is imported from here on is what has just been compiled.
  const { thread } = await import('./lib/demo/thread.mjs');
  await thread({ missing });
  say(`\ndone in ${Math.round((Date.now() - start) / 1000)} seconds`);
});

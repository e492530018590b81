/**
 * `bootseal copy` of a large image from a registry on this machine into an OCI layout, against skopeo, in turn.
 *
 *   node .build/bench/copy.js [--runs N] [--quick]
 *
 * The claim: at most 1.2 times skopeo's time (median of the ratios), at most 150 MiB. Needs docker-registry and the
 * peers. Exits with 1 when it does not hold.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { projectRoot } from '../test/support/project.ts';
import { startRegistry } from '../test/support/registry.ts';
import { makeBigImage } from './support/big-image.ts';
import { measure, median } from './support/measure.ts';

const MAX_RATIO = 1.2;
const MAX_MEMORY = 150;
const LAYERS = 4;

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '7' }, quick: { type: 'boolean', default: false } },
});
const bytes = values.quick ? 128 * 2 ** 20 : 1070 * 2 ** 20;
const files = values.quick ? 2500 : 20_000;

const cli = fileURLToPath(new URL('../src/cli/main.js', import.meta.url));
const peers = join(projectRoot(), 'scripts', 'peers');
const folder = mkdtempSync(join(tmpdir(), 'bootseal-bench-'));
const registry = await startRegistry();
let ok = true;
try {
  const image = await makeBigImage(folder, files, bytes, 1, LAYERS);
  const name = `docker://${registry.host}/bench/big:1`;
  await measure([
    process.execPath,
    cli,
    'copy',
    '--quiet',
    '--insecure-policy',
    `oci:${image.layout}:big`,
    name,
  ]);
  const [ours, theirs, ratios, peaks, peersPeaks] = [[], [], [], [], []] as number[][];
  for (let run = 0; run < Number(values.runs); run++) {
    const target = join(folder, 'copy');
    const timed = async (command: readonly string[]): Promise<{ seconds: number; peak: number }> => {
      rmSync(target, { recursive: true, force: true });
      // What the run before wrote must not be written to the disk during this one.
      spawnSync('sync');
      return measure([...command, name, `oci:${target}:big`]);
    };
    const skopeo = [peers, 'run', 'skopeo', 'copy', '--quiet', '--insecure-policy', '--src-tls-verify=false'];
    const bootseal = [process.execPath, cli, 'copy', '--quiet', '--insecure-policy'];
    // Who comes first changes every time.
    const first = run % 2 === 0 ? await timed(skopeo) : undefined;
    const mine = await timed(bootseal);
    const peer = first ?? (await timed(skopeo));
    ours.push(mine.seconds);
    theirs.push(peer.seconds);
    ratios.push(mine.seconds / peer.seconds);
    peaks.push(mine.peak);
    peersPeaks.push(peer.peak);
  }
  const ratio = median(ratios);
  const peak = Math.max(...peaks);
  const size = image.blobBytes / 2 ** 20;
  console.log(
    `copy, ${(image.plainBytes / 2 ** 30).toFixed(2)} GiB, ${size.toFixed(0)} MiB compressed, ${LAYERS} layers: ` +
      `${median(ours).toFixed(2)} s, skopeo ${median(theirs).toFixed(2)} s, ` +
      `ratio ${ratio.toFixed(2)} (at most ${MAX_RATIO}), ` +
      `peak ${peak.toFixed(0)} MiB (at most ${MAX_MEMORY}), skopeo ${Math.max(...peersPeaks).toFixed(0)} MiB`,
  );
  ok = ratio <= MAX_RATIO && peak <= MAX_MEMORY;
} finally {
  await registry.stop();
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = ok ? 0 : 1;

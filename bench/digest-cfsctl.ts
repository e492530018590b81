/**
 * `bootseal digest` against `cfsctl oci pull` and `compute-id` in the same run, and how its cost grows.
 *
 *   node .build/bench/digest-cfsctl.js [--runs N] [--quick]
 *
 * The claims: at most 0.5 times cfsctl's time for an image of 1 GiB in 20,000 files, at most 0.8 times for 100,000
 * small files; time grows no faster than the image, and memory stays under 400 bytes a file and 200 MiB. Needs
 * `scripts/peers cfsctl 0.9.4`. Exits with 1 when a claim does not hold.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { cfsctlPath } from '../test/support/peers.ts';
import { makeBigImage, type BigImage } from './support/big-image.ts';
import { measure, median, type Measured } from './support/measure.ts';

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '3' }, quick: { type: 'boolean', default: false } },
});
const shrink = values.quick ? 8 : 1;
const GIB = 2 ** 30 / shrink;
const THOUSAND = 1000 / shrink;

/** Of one program's cost from one size to the next, in proportion; noise of a shared machine included. */
const MAX_GROWTH = 1.35;
const cli = fileURLToPath(new URL('../src/cli/main.js', import.meta.url));

function digest(image: BigImage): Promise<Measured> {
  return measure([process.execPath, cli, 'digest', '--quiet', '--epoch', 'next', `oci:${image.layout}:big`]);
}

/** Into a repository of its own: what it has already is not read again. */
async function cfsctl(image: BigImage, folder: string): Promise<Measured> {
  const repository = join(folder, 'repository');
  const run = (...args: readonly string[]): Promise<Measured> =>
    measure([cfsctlPath('0.9.4'), '--repo', repository, ...args]);
  await run('init', '--insecure', '--algorithm', 'fsverity-sha512-12');
  const pull = await run('oci', 'pull', `oci:${image.layout}:big`, 'big');
  const compute = await run('oci', 'compute-id', 'big', '--bootable');
  rmSync(repository, { recursive: true });
  const seconds = pull.seconds + compute.seconds;
  return { seconds, peak: Math.max(pull.peak, compute.peak), stdout: compute.stdout };
}

const folder = mkdtempSync(join(tmpdir(), 'bootseal-bench-'));
let ok = true;

async function withImage(
  files: number,
  bytes: number,
  use: (image: BigImage) => Promise<void>,
): Promise<void> {
  const place = join(folder, 'image');
  const image = await makeBigImage(place, files, bytes, 1);
  for (const tar of image.tars) rmSync(tar);
  await use(image);
  rmSync(place, { recursive: true });
}

function show(image: BigImage, { seconds, peak }: Measured): string {
  return `${(image.plainBytes / 2 ** 30).toFixed(2)} GiB, ${image.files} files: ${seconds.toFixed(2)} s, ${peak.toFixed(0)} MiB`;
}

async function compare(name: string, files: number, bytes: number, atMost: number): Promise<void> {
  await withImage(files, bytes, async (image) => {
    const pairs: [ours: Measured, theirs: Measured][] = [];
    for (let run = 0; run < Number(values.runs); run++) {
      pairs.push([await digest(image), await cfsctl(image, folder)]);
      const [ours, theirs] = pairs[run].map(({ stdout }) => stdout.trim());
      if (ours !== theirs) throw new Error(`the digests differ: ${ours}, ${theirs}`);
    }
    const typical = (side: 0 | 1): Measured => ({
      seconds: median(pairs.map((pair) => pair[side].seconds)),
      peak: median(pairs.map((pair) => pair[side].peak)),
      stdout: '',
    });
    const ratio = median(pairs.map(([ours, theirs]) => ours.seconds / theirs.seconds));
    console.log(`${name}: digest ${show(image, typical(0))}`);
    console.log(`${name}: cfsctl ${show(image, typical(1))}`);
    console.log(`${name}: ratio ${ratio.toFixed(2)} (at most ${atMost})`);
    ok &&= ratio <= atMost;
  });
}

/** Each size twice the one before. */
async function growth(
  name: string,
  sizes: readonly (readonly [files: number, bytes: number])[],
): Promise<void> {
  let before = Infinity;
  for (const [files, bytes] of sizes) {
    await withImage(files, bytes, async (image) => {
      const results: Measured[] = [];
      for (let run = 0; run < Number(values.runs); run++) results.push(await digest(image));
      const seconds = median(results.map((result) => result.seconds));
      const peak = Math.max(...results.map((result) => result.peak));
      const limit = (400 * image.files) / 2 ** 20 + 200;
      const factor = seconds / before;
      const grown = before === Infinity ? '' : `, ${factor.toFixed(2)} times the one before`;
      console.log(
        `${name}: ${show(image, { seconds, peak, stdout: '' })} (at most ${limit.toFixed(0)})${grown}`,
      );
      ok &&= peak <= limit && factor <= 2 * MAX_GROWTH;
      before = seconds;
    });
  }
}

try {
  await compare('large', 20 * THOUSAND, GIB, 0.5);
  await compare('small files', 100 * THOUSAND, 100_000 * THOUSAND, 0.8);
  await growth(
    'files',
    [25, 50, 100, 200].map((count) => [count * THOUSAND, count * 512 * THOUSAND] as const),
  );
  await growth(
    'bytes',
    [0.5, 1, 2].map((size) => [20 * THOUSAND, size * GIB] as const),
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = ok ? 0 : 1;

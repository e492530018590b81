/**
 * `bootseal verify` of images with one signature each, from a registry on this machine.
 *
 *   node .build/bench/verify.js [--rounds N] [--images N] [--no-peers]
 *
 * The claims: one image costs at most 60 ms more than starting Node with nothing to do (lower quartiles of runs in turn,
 * since noise only ever adds), and 90 MiB. A hundred images in one call take at most a quarter of the time of a hundred
 * runs of `cosign verify --key`, and half of that of a hundred runs of `skopeo copy`. The peers run in a loop inside
 * their tree, so what it costs to enter it is not theirs. The program is the published one: npm run build first.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parseDockerReference } from '../src/formats/reference/docker-reference.ts';
import { signImage } from '../src/sign/sign.ts';
import { peer } from '../test/support/peers.ts';
import { projectRoot } from '../test/support/project.ts';
import { startRegistry } from '../test/support/registry.ts';
import { dockerName, makeWorkshop } from '../test/support/signing.ts';
import { makeImage, putImage } from '../test/support/test-image.ts';
import { measure, median } from './support/measure.ts';

const LIMITS = { milliseconds: 60, mebibytes: 90, cosign: 0.25, skopeo: 0.5 };

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '25' },
    images: { type: 'string', default: '100' },
    'no-peers': { type: 'boolean', default: false },
  },
});
const cli = join(projectRoot(), 'dist', 'cli', 'main.js');
if (!existsSync(cli)) throw new Error('not compiled: npm run build');
const folder = mkdtempSync(join(tmpdir(), 'bootseal-bench-'));
const registry = await startRegistry();
const workshop = makeWorkshop();
const failures: string[] = [];

function claim(holds: boolean, text: string): void {
  console.log(`${holds ? 'ok  ' : 'FAIL'}  ${text}`);
  if (!holds) failures.push(text);
}

function lowerQuartile(samples: readonly number[]): number {
  return [...samples].sort((a, b) => a - b)[Math.floor(samples.length / 4)];
}

function milliseconds(args: readonly string[]): number {
  const start = performance.now();
  const { status, stderr } = spawnSync(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  if (status !== 0) throw new Error(`node ${args.join(' ')}: status ${status}\n${stderr.toString()}`);
  return performance.now() - start;
}

/** Seconds that a loop over the images takes, told by the shell that runs it. */
function loopSeconds(command: string, images: readonly string[]): number {
  const loop = `start=$(date +%s%N); for image in "$@"; do out=$( (${command}) 2>&1 ) || { echo "$image: $out" >&2; exit 9; }; done; end=$(date +%s%N); echo $((end - start))`;
  const { status, stdout, stderr } = peer('sh', ['-c', loop, 'sh', ...images], { timeout: 600_000 });
  if (status !== 0) throw new Error(`${command}: status ${status}\n${stderr}`);
  return Number(stdout) / 1e9;
}

try {
  const key = await workshop.makeKey('key', '');
  const policy = workshop.policy({
    [registry.host]: [{ type: 'sigstoreSigned', keyPath: key.publicFile }],
  });
  const options = ['--policy', policy, '--registries.d', workshop.registries(registry.host)];
  const images: string[] = [];
  for (let at = 0; at < Number(values.images); at++) {
    const image = `${registry.host}/acme/os-${at % 10}:v${at}`;
    await putImage(`docker://${image}`, makeImage());
    await signImage({ image: dockerName(image), identity: parseDockerReference(image) }, { key: key.key });
    images.push(image);
  }

  // 1. One image, against a Node that does nothing.
  const floor: number[] = [];
  const ours: number[] = [];
  for (let round = 0; round < Number(values.rounds); round++) {
    floor.push(milliseconds(['-e', '0']));
    ours.push(milliseconds([cli, 'verify', ...options, images[round % images.length]]));
  }
  const above = lowerQuartile(ours) - lowerQuartile(floor);
  const one = `${lowerQuartile(ours).toFixed(1)} ms, node -e 0 ${lowerQuartile(floor).toFixed(1)} ms`;
  claim(
    above <= LIMITS.milliseconds,
    `verify of one image: ${one}, ${above.toFixed(1)} ms more (at most ${LIMITS.milliseconds})`,
  );
  const { peak } = await measure([process.execPath, cli, 'verify', ...options, images[0]]);
  claim(peak <= LIMITS.mebibytes, `peak memory: ${peak.toFixed(0)} MiB (at most ${LIMITS.mebibytes})`);

  // 2. All of them.
  const many = [process.execPath, cli, 'verify', ...options, ...images];
  const [together, cosign, skopeo]: number[][] = [[], [], []];
  for (let round = 0; round < 3; round++) {
    together.push((await measure(many)).seconds);
    if (values['no-peers']) continue;
    const lenient = '--insecure-ignore-tlog=true --allow-insecure-registry';
    cosign.push(loopSeconds(`cosign verify --key ${key.publicFile} ${lenient} "$image"`, images));
    const copy = `skopeo --policy ${policy} --registries.d ${options[3]} copy --src-tls-verify=false`;
    const target = join(folder, 'copy');
    skopeo.push(loopSeconds(`rm -rf ${target}; ${copy} "docker://$image" dir:${target}`, images));
  }
  const count = images.length;
  const seconds = median(together);
  console.log(`      verify of ${count} images in one call: ${seconds.toFixed(2)} s`);
  if (!values['no-peers']) {
    for (const [name, samples, limit] of [
      ['cosign', cosign, LIMITS.cosign],
      ['skopeo', skopeo, LIMITS.skopeo],
    ] as const) {
      const theirs = median(samples);
      const ratio = seconds / theirs;
      claim(
        ratio <= limit,
        `${count} runs of ${name}: ${theirs.toFixed(2)} s, ratio ${ratio.toFixed(2)} (at most ${limit})`,
      );
    }
  }
} finally {
  await registry.stop();
  workshop.remove();
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = failures.length === 0 ? 0 : 1;

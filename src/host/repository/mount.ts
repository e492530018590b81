/** Mounting an image of a repository: what has to hold is checked one by one first, so that a refusal says which. */
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, realpath, rmdir } from 'node:fs/promises';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { planMount, type MountStep } from '../../composefs/mount-plan.ts';
import { BootsealError } from '../../errors.ts';
import { isObjectDigest, objectFile } from '../../formats/composefs-repo/names.ts';
import { cannotRead } from '../../stores/file-errors.ts';
import { measureVerity } from '../../stores/composefs-repo/programs.ts';
import { objectOf, type ComposefsRepo } from '../../stores/composefs-repo/repository.ts';
import type { Step } from '../../steps.ts';
import { imageObjects } from './image-objects.ts';

export interface MountImageRequest {
  readonly repo: ComposefsRepo;
  /** Digest of the composefs image, in hexadecimal. */
  readonly image: string;
  readonly target: string;
  /** Mount without the kernel's checks. */
  readonly insecure?: boolean;
  readonly backing?: 'file' | 'loop';
  /** Only say what would be run. */
  readonly dryRun?: boolean;
}

export interface MountImageResult {
  readonly commands: readonly MountStep[];
  readonly mounted: boolean;
  readonly steps: readonly Step[];
}

/** Linux that knows `verity=require`, and that mounts EROFS straight from a file. */
const OVERLAY_VERITY = [6, 6] as const;
const EROFS_FILES = [6, 12] as const;

/** Throws `mount/…` with the check that failed, `repo/…`; nothing stays mounted then. */
export async function mountImage(request: MountImageRequest): Promise<MountImageResult> {
  const { repo, image } = request;
  const verity = request.insecure !== true;
  const steps: Step[] = [];
  // 1. The image is in the repository, and is the one of that digest.
  if (!isObjectDigest(image, repo.meta.algorithm) || (await objectOf(repo, `images/${image}`)) !== image) {
    throw new BootsealError('mount/no-image', `${JSON.stringify(image)} is no image of this repository`, {
      hint: 'bootseal composefs repo list shows them',
    });
  }
  // Read whole by us before the kernel sees it: an odd file system is how its parsers are attacked.
  const objects = await imageObjects(repo, image);
  steps.push(passed('image', `${image}  ${objects.size} objects`));
  // 2. The kernel will check it, and every object, by itself.
  const root = await realpath(repo.path);
  const file = join(root, objectFile(image));
  if (verity) await demandVerity(repo, file, image, steps);
  // 3. This kernel can do all that.
  const backing = request.backing ?? (isAtLeast(EROFS_FILES) ? 'file' : 'loop');
  if (backing === 'file' && !isAtLeast(EROFS_FILES)) throw tooOld('EROFS from a file', EROFS_FILES);
  if (verity && !isAtLeast(OVERLAY_VERITY)) throw tooOld('overlay with verity=require', OVERLAY_VERITY);
  steps.push(passed('kernel', `Linux ${release()}`));

  const target = await realpath(request.target).catch((error: unknown) => {
    throw cannotRead(request.target, error);
  });
  const plan = (lower: string): readonly MountStep[] =>
    planMount({ image: file, objects: join(root, 'objects'), target, lower, name: image, verity, backing });
  if (request.dryRun === true) return { commands: plan('/run/bootseal/lower'), mounted: false, steps };
  // 4. Only root may mount.
  if (process.geteuid?.() !== 0) {
    throw new BootsealError('mount/not-root', 'only root may mount', {
      hint: 'run it as root, or see with --dry-run what would be run',
    });
  }
  const commands = await runPlan(plan);
  steps.push(passed('mounted', target));
  return { commands, mounted: true, steps };
}

async function demandVerity(repo: ComposefsRepo, file: string, image: string, steps: Step[]): Promise<void> {
  const [measured] = await measureVerity([file]);
  if (measured === undefined) {
    const [why, hint] = repo.verity
      ? ['the image has no fs-verity, although the repository has', 'import it again']
      : [
          'this repository is without fs-verity, so the kernel can check nothing',
          'make one on ext4 with -O verity or on btrfs; --insecure mounts it unchecked',
        ];
    throw new BootsealError('mount/no-verity', why, { hint, where: file });
  }
  if (measured.algorithm !== repo.meta.algorithm || measured.digest !== image) {
    throw new BootsealError('mount/wrong-digest', `the kernel measures ${measured.digest}, not ${image}`, {
      exit: 1,
    });
  }
  steps.push(passed('fs-verity', 'the kernel has the image’s digest'));
}

async function runPlan(plan: (lower: string) => readonly MountStep[]): Promise<readonly MountStep[]> {
  const base = (await readFile('/proc/self/mountinfo', 'utf8')).includes(' /run ')
    ? '/run/bootseal'
    : tmpdir();
  await mkdir(base, { recursive: true });
  const lower = await mkdtemp(join(base, 'lower-'));
  const commands = plan(lower);
  let done = 0;
  try {
    for (const { program, args } of commands) {
      const { status, stderr, error } = spawnSync(program, args, {
        encoding: 'utf8',
        env: { ...process.env, LC_ALL: 'C' },
      });
      if (error !== undefined || status !== 0) {
        throw new BootsealError('mount/failed', `${program}: ${(error?.message ?? stderr).trim()}`, {
          hint: `it was: ${program} ${args.join(' ')}`,
          ...(error !== undefined && { cause: error }),
        });
      }
      done += 1;
    }
  } finally {
    if (done === 1) spawnSync('umount', ['-l', '--', lower]);
    await rmdir(lower).catch(() => undefined);
  }
  return commands;
}

function isAtLeast([major, minor]: readonly [number, number]): boolean {
  const match = /^([0-9]+)\.([0-9]+)/.exec(release());
  if (match === null) return false;
  const have = [Number(match[1]), Number(match[2])];
  return have[0] > major || (have[0] === major && have[1] >= minor);
}

function tooOld(what: string, [major, minor]: readonly [number, number]): BootsealError {
  return new BootsealError(
    'mount/kernel-too-old',
    `${what} takes Linux ${major}.${minor}; this is ${release()}`,
    {
      hint: 'use --backing loop, or a newer kernel',
    },
  );
}

function passed(id: string, summary: string): Step {
  return { id, title: id, state: 'passed', summary };
}

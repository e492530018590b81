/**
 * `npm run fuzz`: the target runs in a thread, and this file's main part watches it, since an endless loop can only be
 * seen, and its input only be saved, from outside.
 */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { fuzz, loadTargets, saveFinding, type FuzzResult, type FuzzTarget } from './harness.ts';
import { inputFor } from './mutate.ts';

interface Job {
  readonly target: string;
  readonly seed: number;
  readonly milliseconds: number;
  /** One number: the index of the input being run. */
  readonly current: SharedArrayBuffer;
}

const STUCK_MS = 20_000;
const LOOK_EVERY_MS = 1000;

async function runTarget(name: string): Promise<FuzzTarget> {
  const [target] = await loadTargets([name]);
  if (target === undefined) throw new Error(`no fuzz target "${name}" in test/fuzz`);
  return target;
}

async function inThread(job: Job): Promise<void> {
  const current = new Int32Array(job.current);
  const result = fuzz(await runTarget(job.target), {
    ...job,
    onInput: (index) => void Atomics.store(current, 0, index),
  });
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port has no origin
  parentPort!.postMessage(result);
}

/** Returns the number of findings. */
async function watch(name: string, milliseconds: number, seed: number): Promise<number> {
  const target = await runTarget(name);
  const shared = new SharedArrayBuffer(4);
  const current = new Int32Array(shared);
  const job: Job = { target: name, seed, milliseconds, current: shared };
  const worker = new Worker(new URL(import.meta.url), { workerData: job });
  let last = -1;
  let since = Date.now();
  let stuck: number | undefined;
  const timer = setInterval(() => {
    const index = Atomics.load(current, 0);
    if (index !== last) [last, since] = [index, Date.now()];
    else if (Date.now() - since > STUCK_MS) {
      stuck = index;
      void worker.terminate();
    }
  }, LOOK_EVERY_MS);
  const result = await new Promise<FuzzResult | undefined>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', () => resolve(undefined));
  });
  clearInterval(timer);
  if (stuck !== undefined) {
    report(
      name,
      seed,
      stuck,
      inputFor(target.seeds(), seed, stuck),
      `did not end within ${STUCK_MS / 1000} s`,
    );
    return 1;
  }
  if (result === undefined) throw new Error(`the thread of ${name} ended without a result`);
  console.log(
    `${name}: seed ${seed}, ${result.inputs} inputs, ${result.taken} of them taken, ${result.findings.length} findings`,
  );
  for (const finding of result.findings) report(name, seed, finding.index, finding.input, finding.problem);
  return result.findings.length;
}

function report(name: string, seed: number, index: number, input: Uint8Array, problem: string): void {
  console.log(
    `\n${name}: seed ${seed}, input ${index}, ${input.length} bytes: ${saveFinding(name, input)}\n${problem}`,
  );
}

async function main(argv: readonly string[]): Promise<void> {
  const [name, seconds = '60', seedText] = argv;
  if (name === undefined) {
    const targets = await loadTargets();
    console.log(
      `npm run fuzz -- TARGET|all [SECONDS [SEED]]\ntargets: ${targets.map((target) => target.name).join(' ')}`,
    );
    return;
  }
  const seed = seedText === undefined ? Date.now() % 2 ** 31 : Number(seedText);
  const names = name === 'all' ? (await loadTargets()).map((target) => target.name) : [name];
  let findings = 0;
  for (const each of names) findings += await watch(each, Number(seconds) * 1000, seed);
  process.exitCode = findings === 0 ? 0 : 1;
}

if (isMainThread) await main(process.argv.slice(2));
else await inThread(workerData as Job);

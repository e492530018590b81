/** Shows how much of an image's layers has been read. */
import type { CliContext } from './context.ts';

/** For the `onProgress` of jobs that read layers, or the files of a directory: bytes so far, and in all. */
export async function layerProgress(
  context: CliContext,
  what = 'layers',
): Promise<(done: number, total: number) => void> {
  const progress = await context.progress();
  let shown = 0;
  let bar: ReturnType<typeof progress.start> | undefined;
  return (done, total) => {
    bar ??= progress.start(what, total);
    bar.advance(done - shown);
    shown = done;
    if (done >= total) bar.done();
  };
}

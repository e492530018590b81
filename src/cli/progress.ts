/**
 * Progress on standard error: at a terminal one line per running part and a total, from the first second on, redrawn
 * at most 10 times a second; elsewhere a plain line every 10 seconds. A summary line remains of what took long.
 */
import { escapeText } from '../bytes/printable.ts';
import { bytesText, secondsText } from './render/units.ts';

export interface ProgressBar {
  /** `bytes` more are done. */
  advance(bytes: number): void;
  done(): void;
}

export interface Progress {
  /** `total` in bytes, where it is known. */
  start(name: string, total?: number): ProgressBar;
  stop(): void;
}

export interface ProgressStream {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

export interface ProgressOptions {
  readonly stream: ProgressStream;
  readonly env: NodeJS.ProcessEnv;
  readonly silent: boolean;
}

/** What is known of one running part, and of all together. */
interface Part {
  readonly name: string;
  total: number | undefined;
  done: number;
  finished: boolean;
  readonly startedAt: number;
}

/** Draws until it is called. */
type Stop = () => void;

const FIRST_SHOWN_MS = 1000;
const PLAIN_EVERY_MS = 10_000;
const REDRAWS_PER_SECOND = 10;
const BAR_WIDTH = 24;
const NAME_WIDTH = 24;

export async function createProgress(options: ProgressOptions): Promise<Progress> {
  const parts: Part[] = [];
  const stop = options.silent ? (): void => undefined : await show(options, parts);
  let stopped = false;
  return {
    start(name, total) {
      const part: Part = { name: escapeText(name), total, done: 0, finished: false, startedAt: Date.now() };
      parts.push(part);
      return {
        advance: (bytes) => void (part.done += bytes),
        done: () => void (part.finished = true),
      };
    },
    stop() {
      if (!stopped) stop();
      stopped = true;
    },
  };
}

async function show(options: ProgressOptions, parts: readonly Part[]): Promise<Stop> {
  if (options.stream.isTTY !== true || options.env['TERM'] === 'dumb')
    return showLines(options.stream, parts);
  return showBars(options.stream as NodeJS.WriteStream, parts);
}

function showLines(stream: ProgressStream, parts: readonly Part[]): Stop {
  const timer = setInterval(() => {
    const running = parts.filter((part) => !part.finished);
    if (running.length > 0) stream.write(`${running.map(describe).join('; ')}\n`);
  }, PLAIN_EVERY_MS);
  timer.unref();
  return () => clearInterval(timer);
}

async function showBars(stream: NodeJS.WriteStream, parts: readonly Part[]): Promise<Stop> {
  const { default: cliProgress } = await import('cli-progress');
  const multi = new cliProgress.MultiBar<Part>({
    stream,
    fps: REDRAWS_PER_SECOND,
    clearOnComplete: true,
    hideCursor: true,
    // The program removes its own temporary files on SIGINT; the bars must not end it before that.
    gracefulExit: false,
    emptyOnZero: true,
    format: (_options, _params, part) => drawPart(part),
  });
  const bars = new Map<Part, ReturnType<typeof multi.create>>();
  const sum: Part = { name: 'total', total: 0, done: 0, finished: false, startedAt: Date.now() };
  const redraw = (): void => {
    if (Date.now() - sum.startedAt < FIRST_SHOWN_MS) return;
    for (const part of parts) {
      const bar = bars.get(part);
      if (part.finished && bar !== undefined && multi.remove(bar)) bars.delete(part);
      else if (!part.finished && bar === undefined) bars.set(part, multi.create(part.total ?? 0, 0, part));
    }
    addUp(sum, parts);
    if (parts.length > 1 && !bars.has(sum)) bars.set(sum, multi.create(1, 0, sum));
    for (const [part, bar] of bars) bar.update(part.done, part);
  };
  const timer = setInterval(redraw, 1000 / REDRAWS_PER_SECOND).unref();
  return () => {
    clearInterval(timer);
    multi.stop();
    addUp(sum, parts);
    if (bars.size > 0 || Date.now() - sum.startedAt >= FIRST_SHOWN_MS) stream.write(`${summary(sum)}\n`);
  };
}

function addUp(sum: Part, parts: readonly Part[]): void {
  sum.done = parts.reduce((bytes, part) => bytes + part.done, 0);
  const known = parts.every((part) => part.total !== undefined);
  sum.total = known ? parts.reduce((bytes, part) => bytes + part.total!, 0) : undefined;
}

function drawPart(part: Part): string {
  const fraction = part.total === undefined || part.total === 0 ? 0 : Math.min(1, part.done / part.total);
  const filled = Math.round(fraction * BAR_WIDTH);
  const bar = part.total === undefined ? '' : `${'█'.repeat(filled)}${'░'.repeat(BAR_WIDTH - filled)}  `;
  return `  ${shorten(part.name).padEnd(NAME_WIDTH)}  ${bar}${amounts(part)}`;
}

function describe(part: Part): string {
  return `${part.name}  ${amounts(part)}`;
}

/** `12.0 of 40.1 MiB  8.2 MiB/s  3 s left` */
function amounts(part: Part): string {
  const seconds = Math.max(0.001, (Date.now() - part.startedAt) / 1000);
  const rate = part.done / seconds;
  const whole = part.total === undefined ? '' : ` of ${bytesText(part.total)}`;
  const left =
    part.total === undefined || rate === 0 ? '' : `  ${secondsText((part.total - part.done) / rate)} left`;
  return `${bytesText(part.done)}${whole}  ${bytesText(rate)}/s${left}`;
}

function summary(sum: Part): string {
  const seconds = Math.max(0.001, (Date.now() - sum.startedAt) / 1000);
  return `${bytesText(sum.done)} in ${secondsText(seconds)} (${bytesText(sum.done / seconds)}/s)`;
}

function shorten(name: string): string {
  return name.length <= NAME_WIDTH ? name : `${name.slice(0, NAME_WIDTH - 1)}…`;
}

/** What differs between two trees, for people and for scripts. */
import { escapeText } from '../../bytes/printable.ts';
import { pathText, sidesText } from '../../composefs/diff.ts';
import type { DigestDiff, EpochVerdict, FoundDifference } from '../../seal/digest-diff.ts';
import type { CliContext } from '../context.ts';
import { countText } from './units.ts';

const CAUSES_SHOWN = 5;

/** The answer, then the differences, then why. */
export function diffText(diff: DigestDiff, { quiet, style }: Pick<CliContext, 'quiet' | 'style'>): string {
  const { paths, differingPaths, ignoredPaths, differences, causes, epochs } = diff;
  const answer =
    differingPaths === 0
      ? `no difference in ${countText(paths)} paths`
      : `${countText(differingPaths)} of ${countText(paths)} paths differ (${verdictsText(epochs)})`;
  if (quiet || differingPaths === 0) return `${answer}\n`;
  const lines = [answer];
  const shown = new Set(differences.map(({ path }) => path)).size;
  lines.push(...table(differences, epochs.length));
  const ignored = differences.some(({ matters }) => matters.length === 0) ? 0 : ignoredPaths;
  const more = differingPaths - shown - ignored;
  if (more > 0) lines.push(style.dim(`… and ${pathCount(more)} more (--all)`));
  if (ignored > 0) lines.push(style.dim(`… and ${pathCount(ignored)} in what no digest holds (--all)`));
  for (const { text, count } of causes.slice(0, CAUSES_SHOWN)) {
    lines.push(`likely cause: ${escapeText(pathText(text))} (${pathCount(count)})`);
  }
  return lines.map((line) => `${line}\n`).join('');
}

function pathCount(count: number): string {
  return `${countText(count)} ${count === 1 ? 'path' : 'paths'}`;
}

function verdictsText(epochs: readonly EpochVerdict[]): string {
  const messages = new Set(epochs.map(({ error }) => error?.message));
  const [message] = messages;
  // One reason for all is worth more than a list of refusals.
  if (messages.size === 1 && message !== undefined)
    return `every epoch refuses one side: ${escapeText(message)}`;
  return epochs.map(verdictText).join(', ');
}

function verdictText({ epoch, differences }: EpochVerdict): string {
  if (differences === undefined) return `${epoch.name}: refused`;
  return `${epoch.name}: ${differences === 0 ? 'no' : 'yes'}`;
}

function table(differences: readonly FoundDifference[], epochCount: number): string[] {
  const rows = differences.map((difference) => {
    const [left, right] = sidesText(difference);
    return [
      `/${difference.path}`,
      difference.attribute,
      left,
      '|',
      right,
      mattersText(difference, epochCount),
    ].map((cell) => escapeText(pathText(cell)));
  });
  const widths = [0, 1, 2].map((column) =>
    Math.min(60, Math.max(0, ...rows.map((row) => row[column].length))),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => (column < 3 ? cell.padEnd(widths[column]) : cell))
      .join('  ')
      .trimEnd(),
  );
}

/** Told where epochs disagree. */
function mattersText({ matters }: FoundDifference, epochCount: number): string {
  return matters.length === epochCount || matters.length === 0 ? '' : `(in ${matters.join(', ')})`;
}

export function diffJson(diff: DigestDiff, limit: number): Record<string, unknown> {
  const { left, right, paths, differingPaths, ignoredPaths, causes, epochs } = diff;
  return {
    left,
    right,
    paths,
    differingPaths,
    ignoredPaths,
    epochs: epochs.map(({ epoch, differences, error }) => ({
      epoch: epoch.name,
      ...(differences === undefined
        ? { error: { code: error?.code, message: error?.message } }
        : { differs: differences > 0 }),
    })),
    differences: diff.differences.slice(0, limit).map((difference) => {
      const [from, to] = sidesText(difference);
      return {
        path: pathText(`/${difference.path}`),
        attribute: pathText(difference.attribute),
        left: pathText(from),
        right: pathText(to),
        epochs: difference.matters,
      };
    }),
    causes: causes.map(({ text, ...rest }) => ({ ...rest, text: pathText(text) })),
  };
}

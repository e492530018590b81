/** The word that was probably meant. */

/** Letters to insert, remove or change: Levenshtein distance. Meant for words of a few letters. */
export function editDistance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (const [i, letter] of left.split('').entries()) {
    const next = [i + 1];
    for (let j = 1; j <= right.length; j++) {
      const change = row[j - 1] + (letter === right[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j] + 1, next[j - 1] + 1));
    }
    row = next;
  }
  return row[right.length];
}

/** Longer text is no slip of one of our words. */
const MAX_WORD = 64;

/** The one of `known` that differs from `word` in case only, or in at most a third of its letters. */
export function nearest<W extends string>(word: string, known: readonly W[]): W | undefined {
  if (word === '' || word.length > MAX_WORD) return undefined;
  const lower = word.toLowerCase();
  let best: W | undefined;
  let bestDistance = Infinity;
  for (const candidate of known) {
    const distance = editDistance(lower, candidate.toLowerCase());
    if (distance < bestDistance && distance <= Math.floor(candidate.length / 3)) {
      [best, bestDistance] = [candidate, distance];
    }
  }
  return best;
}

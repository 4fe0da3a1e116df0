const LONGEST = 64;
const EDITS_MAX = 3;
const SHORTEST_CUT = 3;

/** The candidate nearest to a misspelt word, or undefined when none is near. */
export function findNearest(word: string, candidates: Iterable<string>): string | undefined {
  let best: { readonly candidate: string; readonly distance: number } | undefined;
  const near = Math.min(EDITS_MAX, Math.max(1, Math.floor(word.length / 3)));
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) > near) continue;
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance <= near && (!best || distance < best.distance)) best = { candidate, distance };
  }
  return best?.candidate ?? findLonger(word, candidates);
}

/** A candidate that is cut short: `user` for `username`. */
function findLonger(word: string, candidates: Iterable<string>): string | undefined {
  if (word.length < SHORTEST_CUT) return undefined;
  return [...candidates].find((candidate) => candidate.startsWith(word.toLowerCase()));
}

/** `; did you mean "path"?`, or nothing. */
export function suggest(word: string, candidates: Iterable<string>): string {
  const nearest = findNearest(word, candidates);
  return nearest === undefined ? '' : `; did you mean ${JSON.stringify(nearest)}?`;
}

/** Insertions, deletions, replacements and swaps of neighbours between two words (optimal string alignment). */
function editDistance(one: string, other: string): number {
  if (one.length > LONGEST || other.length > LONGEST) return one === other ? 0 : LONGEST;
  const rows: number[][] = [Array.from({ length: other.length + 1 }, (_, at) => at)];
  const at = (row: number, column: number) => rows[row]?.[column] ?? LONGEST;
  for (let row = 1; row <= one.length; row += 1) {
    const current = [row];
    rows.push(current);
    for (let column = 1; column <= other.length; column += 1) {
      const cost = one[row - 1] === other[column - 1] ? 0 : 1;
      const isSwap = one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1];
      const replaced = at(row - 1, column - 1) + cost;
      const swapped = isSwap ? at(row - 2, column - 2) + 1 : LONGEST;
      current.push(Math.min(at(row - 1, column) + 1, at(row, column - 1) + 1, replaced, swapped));
    }
  }
  return at(one.length, other.length);
}

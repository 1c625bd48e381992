const SUGGESTIONS_MAX = 3;

/** "; did you mean 'a' or 'b'?", or '' where nothing known is near. */
export function didYouMean(name: string, known: readonly string[]): string {
  const near = nearest(name, known).map((candidate) => `'${candidate}'`);
  return near.length === 0 ? '' : `; did you mean ${near.join(' or ')}?`;
}

/** The known names within a third of the name's length in edits, nearest first. */
export function nearest(name: string, known: readonly string[]): string[] {
  const reach = Math.max(1, Math.floor(name.length / 3));
  return known
    .map((candidate) => ({ candidate, distance: editDistance(name.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ distance }) => distance <= reach)
    .sort((a, b) => a.distance - b.distance)
    .slice(0, SUGGESTIONS_MAX)
    .map(({ candidate }) => candidate);
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const substitution = (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min(substitution, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}

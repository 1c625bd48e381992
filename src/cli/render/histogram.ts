import { bucketsOf } from '../../bench/figure.js';
import type { BenchMeasurement } from '../../bench/result-schema.js';

const LEVELS = ' ▁▂▃▄▅▆▇█';
const COLUMNS = 16;
/** What lies beyond is in the last column. */
const TAIL_SHARE = 0.99;

/** The shape of what was measured in a few columns: from the least to the 99th percentile, on a logarithmic axis. */
export function renderHistogram({ summary, distribution }: BenchMeasurement): string {
  if (summary.samples < 2 || summary.min === summary.max) return '';
  const buckets = bucketsOf(distribution);
  const tail = valueAt(buckets, summary.samples * TAIL_SHARE);
  const isLogarithmic = summary.min > 0;
  const scale = (value: number) => (isLogarithmic ? Math.log(value) : value);
  const [from, to] = [scale(summary.min), scale(Math.max(tail, summary.min))];
  const counts = new Array<number>(COLUMNS).fill(0);
  for (const [value, count] of buckets) {
    const share = to === from ? 0 : (scale(Math.max(value, summary.min)) - from) / (to - from);
    const column = Math.min(COLUMNS - 1, Math.max(0, Math.floor(share * COLUMNS)));
    counts[column] = (counts[column] ?? 0) + count;
  }
  const most = Math.max(...counts);
  const level = (count: number) => (count === 0 ? 0 : Math.max(1, Math.round((count / most) * (LEVELS.length - 1))));
  return counts.map((count) => LEVELS[level(count)]).join('');
}

function valueAt(buckets: readonly (readonly [number, number])[], rank: number): number {
  let seen = 0;
  for (const [value, count] of buckets) {
    seen += count;
    if (seen >= rank) return value;
  }
  return buckets.at(-1)?.[0] ?? 0;
}

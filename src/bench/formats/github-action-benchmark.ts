import { formatFigure } from '../figure.js';
import type { BenchMetric, BenchResult } from '../result-schema.js';

/** How a rate reads as a time, since one file has one direction. */
const TIMES: Readonly<Partial<Record<BenchMetric['unit'], { readonly unit: string; readonly ns: number }>>> = {
  'ops/s': { unit: 'ns/op', ns: 1e9 },
  'GB/s': { unit: 'ns/GB', ns: 1e9 },
};

/** For github-action-benchmark's tool 'customSmallerIsBetter': medians; a rate is given as the time that one takes. */
export function toGithubActionBenchmark({ metrics }: BenchResult): string {
  const entries = metrics.flatMap(({ name, title, unit, direction, measurement: { summary } }) => {
    const { p25, p50, p75 } = summary.percentiles;
    const time = TIMES[unit];
    if (p50 === undefined || (direction === 'higher' && (time === undefined || p50 === 0))) return [];
    const inverted = (value: number) => (direction === 'higher' && time !== undefined ? time.ns / value : value);
    const quartiles = [p25, p75].map((value) => inverted(value ?? p50));
    const range = Math.abs((quartiles[1] ?? 0) - (quartiles[0] ?? 0)) / 2;
    const own = direction === 'higher' ? (time?.unit ?? unit) : unit;
    const extra = `${title}\nmedian ${formatFigure(p50, unit)} of ${summary.samples}`;
    return [{ name, unit: own, value: inverted(p50), range: `± ${range.toPrecision(3)}`, extra }];
  });
  return `${JSON.stringify(entries, null, 2)}\n`;
}

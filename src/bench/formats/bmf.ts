import type { BenchResult, BenchUnit } from '../result-schema.js';

/** What Bencher calls what is measured; it has a unit of its own for each. */
const MEASURES: Readonly<Record<BenchUnit, string>> = {
  ns: 'latency',
  'ops/s': 'throughput',
  bytes: 'memory',
  'GB/s': 'bandwidth',
  percent: 'percent',
  ratio: 'ratio',
};

/** Bencher Metric Format: the median of each metric, with its quartiles as the bounds. */
export function toBmf({ metrics }: BenchResult): string {
  const entries = metrics.flatMap(({ name, unit, measurement: { summary } }) => {
    const { p25, p50, p75 } = summary.percentiles;
    if (p50 === undefined) return [];
    return [[name, { [MEASURES[unit]]: { value: p50, lower_value: p25 ?? p50, upper_value: p75 ?? p50 } }]];
  });
  return `${JSON.stringify(Object.fromEntries(entries), null, 2)}\n`;
}

import { formatBytes, formatNs } from '../base/units.js';
import type { BenchUnit } from './result-schema.js';

/** A figure for people, in the unit that fits: '12.3 µs', '11.1 GB/s', '52,114 /s'. */
export function formatFigure(value: number | undefined, unit: BenchUnit): string {
  if (value === undefined) return '';
  switch (unit) {
    case 'ns':
      return formatNs(value);
    case 'bytes':
      return formatBytes(Math.round(value));
    case 'percent':
      return `${value >= 0 ? '+' : ''}${value.toFixed(1)} %`;
    case 'ops/s':
      return `${Math.round(value).toLocaleString('en')} /s`;
    case 'GB/s':
      return `${value.toFixed(2)} GB/s`;
    case 'ratio':
      return `× ${value.toPrecision(3)}`;
  }
}

/** '× 1.04 (1.01–1.08)'; the interval only where there is one. */
export function formatRatio({ p50, low, high }: { p50: number; low: number | null; high: number | null }): string {
  const interval = low === null || high === null ? '' : ` (${low.toPrecision(3)}–${high.toPrecision(3)})`;
  return `× ${p50.toPrecision(3)}${interval}`;
}

/** What was measured as [value, count], ascending, however the result keeps it. */
export function bucketsOf(
  distribution:
    | { readonly kind: 'samples'; readonly values: readonly number[] }
    | { readonly kind: 'histogram'; readonly buckets: readonly (readonly [number, number])[] },
): readonly (readonly [number, number])[] {
  if (distribution.kind === 'histogram') return distribution.buckets;
  return distribution.values.toSorted((a, b) => a - b).map((value) => [value, 1]);
}

/** Which way is better. */
export type Direction = 'lower' | 'higher';

/** Bounds of what a figure could as well have been. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** One figure of a benchmark, such as `pause.p99`: in ns where it is a time, in bytes where it is a size. */
export interface Metric {
  readonly name: string;
  /** Empty where the format does not tell. */
  readonly unit: string;
  readonly direction: Direction;
  readonly value: number;
  /** null where the result holds a point only. */
  readonly interval: Interval | null;
}

/** What one run of a benchmark found, whatever tool wrote it. */
export interface Result {
  /** Where it comes from, for messages. */
  readonly source: string;
  readonly format: string;
  /** Equal for results of one machine; null where the format does not tell. */
  readonly machine: string | null;
  /** How disturbed the machine was meanwhile, 0 to 100; null where the format does not tell. */
  readonly noiseScore: number | null;
  readonly metrics: ReadonlyMap<string, Metric>;
  /** What the machine can do at best, measured in the same run. */
  readonly calibrations: ReadonlyMap<string, Metric>;
  /** Figures that the result could not give, with the reason. */
  readonly absent: ReadonlyMap<string, string>;
  readonly warnings: readonly string[];
}

export const byName = (metrics: readonly Metric[]): ReadonlyMap<string, Metric> =>
  new Map(metrics.map((metric) => [metric.name, metric]));

/** A result of which nothing but its metrics is known. */
export const plainResult = (source: string, format: string, metrics: readonly Metric[]): Result => ({
  source,
  format,
  machine: null,
  noiseScore: null,
  metrics: byName(metrics),
  calibrations: new Map(),
  absent: new Map(),
  warnings: [],
});

/** Whether a name fits a pattern, in which `*` stands for any text. */
export function matchesPattern(name: string, pattern: string): boolean {
  const source = pattern
    .split('*')
    .map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('.*');
  return new RegExp(`^${source}$`, 's').test(name);
}

/** The result with those metrics alone whose names fit one of the patterns; with all where there is no pattern. */
export function selectMetrics(result: Result, patterns: readonly string[]): Result {
  if (patterns.length === 0) return result;
  const kept = [...result.metrics].filter(([name]) => patterns.some((pattern) => matchesPattern(name, pattern)));
  return { ...result, metrics: new Map(kept) };
}

/** The result with `direction` 'higher' for the metrics whose names fit one of the patterns. */
export function withHigherIsBetter(result: Result, patterns: readonly string[]): Result {
  const turned = [...result.metrics.values()].map((metric) =>
    patterns.some((pattern) => matchesPattern(metric.name, pattern))
      ? { ...metric, direction: 'higher' as const }
      : metric,
  );
  return { ...result, metrics: byName(turned) };
}

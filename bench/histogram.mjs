// Latencies: an HDR histogram, and only those percentiles that its samples can carry.
import { build } from 'hdr-histogram-js';

const PERCENTILES = { p50: 50, p90: 90, p99: 99, 'p99.9': 99.9 };
/** A percentile is given where so many samples lie beyond it: p99 needs 1,000 of them, p99.9 10,000. */
const SAMPLES_BEYOND = 10;

/**
 * @typedef {{ samples: number, min: number, max: number, mean: number } & Partial<Record<'p50'|'p90'|'p99'|'p99.9', number>>} Summary
 */

export class LatencySeries {
  #histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: 2 ** 40,
    numberOfSignificantValueDigits: 3,
    autoResize: true,
    useWebAssembly: false,
  });

  /** @param {number} ns */
  record(ns) {
    this.#histogram.recordValue(Math.max(0, Math.round(ns)));
  }

  /** @param {number[]} samplesNs */
  recordAll(samplesNs) {
    for (const ns of samplesNs) this.record(ns);
  }

  get samples() {
    return this.#histogram.totalCount;
  }

  /** @returns {Summary} in nanoseconds */
  summary() {
    const histogram = this.#histogram;
    const samples = histogram.totalCount;
    if (samples === 0) return { samples, min: 0, max: 0, mean: 0 };
    /** @type {Summary} */
    const summary = {
      samples,
      min: histogram.minNonZeroValue,
      max: histogram.maxValue,
      mean: Math.round(histogram.mean),
    };
    for (const [name, percentile] of Object.entries(PERCENTILES)) {
      const beyond = samples * (1 - percentile / 100);
      if (percentile === 50 || beyond >= SAMPLES_BEYOND - 1e-6)
        summary[name] = histogram.getValueAtPercentile(percentile);
    }
    return summary;
  }
}

/** The same shape for a few figures that are no latencies (bandwidths, ratios): exact, with what few samples carry. */
export function summarise(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const samples = sorted.length;
  if (samples === 0) return { samples, min: 0, max: 0, mean: 0 };
  const at = (share) => sorted[Math.min(samples - 1, Math.floor(samples * share))];
  const summary = {
    samples,
    min: at(0),
    max: at(1),
    mean: sorted.reduce((sum, value) => sum + value, 0) / samples,
    p50: at(0.5),
  };
  if (samples >= 20) Object.assign(summary, { p25: at(0.25), p75: at(0.75) });
  return summary;
}

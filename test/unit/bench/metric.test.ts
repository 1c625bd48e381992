import { describe, expect, it } from 'vitest';
import type { BenchCase, MetricDraft } from '../../../src/bench/case.js';
import { CASES } from '../../../src/bench/cases/index.js';
import { assertTaken, chooseCases } from '../../../src/bench/choose.js';
import { metricOf, nameOf } from '../../../src/bench/metric.js';
import type { BenchCalibration } from '../../../src/bench/result-schema.js';
import { Series } from '../../../src/bench/series.js';

const clock = { turn: 1, atMs: 0 };

function latencies(...values: number[]): Series {
  const series = new Series('latencies', clock);
  series.recordAll(values);
  return series;
}

const one: BenchCase = { name: 'pause', promise: 'P1', summary: '', run: async () => [] };
const draft = (rest: Partial<MetricDraft> = {}): MetricDraft => ({
  title: 'pause kv-store',
  ours: latencies(10, 20, 30),
  ...rest,
});
const calibration = (name: string, unit: BenchCalibration['unit'], value: number): BenchCalibration => ({
  name,
  title: name,
  unit,
  direction: 'lower',
  measurement: latencies(value).measurement(),
});

describe('the name of a metric', () => {
  it('is the case’s, with what tells it from the others', () => {
    expect(nameOf('pause', 'pause kv-store')).toBe('pause/kv-store');
    expect(nameOf('deadline', 'deadline')).toBe('deadline');
    expect(nameOf('dirty-share', 'dirty-share diff, 1 % of 256 MiB')).toBe('dirty-share/diff-1-of-256-mib');
  });
});

describe('a metric', () => {
  it('is a multiple of the limits of its unit', () => {
    const limits = [calibration('handshake', 'ns', 5), calibration('read', 'GB/s', 12), calibration('wake', 'ns', 0)];
    expect(metricOf(one, draft(), limits).multiples).toEqual({ handshake: 4 });
  });

  it('is better lower for a time and higher for a rate, unless it says so', () => {
    const directionOf = (rest: Partial<MetricDraft>) => metricOf(one, draft(rest), []).direction;
    expect(directionOf({})).toBe('lower');
    expect(directionOf({ unit: 'ops/s' })).toBe('higher');
    expect(directionOf({ unit: 'ratio', direction: 'higher' })).toBe('higher');
  });

  it('meets its target, misses it, or has too few samples to tell', () => {
    const metOf = (target: NonNullable<MetricDraft['target']>) => metricOf(one, draft({ target }), []).target?.met;
    expect(metOf({ text: '', atMost: { p50: 20 } })).toBe(true);
    expect(metOf({ text: '', atMost: { p50: 19 } })).toBe(false);
    expect(metOf({ text: '', atLeast: { p50: 21 } })).toBe(false);
    expect(metOf({ text: '', atMost: { p50: 20, p99: 100 } })).toBeNull();
    expect(metOf({ text: '', met: true })).toBe(true);
  });

  it('names its references by their role, and leaves out those that were not measured', () => {
    const named = { name: 'two threads', series: latencies(5) };
    const { references } = metricOf(
      one,
      draft({ limit: named, peers: [null, { name: 'a', series: latencies() }] }),
      [],
    );
    expect(references.map(({ role, name, ratio }) => [role, name, ratio?.p50])).toEqual([['limit', 'two threads', 4]]);
  });
});

describe('choosing cases', () => {
  it('has every promise, each case under a name of its own', () => {
    const promises = new Set(CASES.map(({ promise }) => promise));
    for (let number = 1; number <= 14; number++) expect(promises).toContain(`P${number}`);
    expect(new Set(CASES.map(({ name }) => name)).size).toBe(CASES.length);
    for (const { name } of CASES) expect(name).toMatch(/^[a-z0-9-]+$/);
  });

  it('keeps the table’s order and refuses an unknown name with the nearest one', () => {
    expect(chooseCases(CASES, ['digest', 'pause']).map(({ name }) => name)).toEqual(['pause', 'digest']);
    expect(() => chooseCases(CASES, ['pase'])).toThrow(/Expected the name of a case for --only .* 'pase'.*pause/);
  });

  it('refuses a parameter that no chosen case takes', () => {
    const flags = { memoryBytes: '--memory', vms: '--vms', program: '--program', dirtyBytes: '--dirty' };
    const taken = chooseCases(CASES, ['pause']);
    expect(() => assertTaken(taken, { memoryBytes: 2 ** 20 }, flags)).not.toThrow();
    expect(() => assertTaken(taken, { vms: 3 }, flags)).toThrow(/a case that takes --vms/);
  });
});

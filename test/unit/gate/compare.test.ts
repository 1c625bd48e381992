import { describe, expect, it } from 'vitest';
import { compareResults } from '../../../src/gate/compare.js';
import type { Metric } from '../../../src/gate/metric.js';
import { metric, newestOf, resultOf } from './samples.js';

const compare = (base: Metric[], head: Metric[]) =>
  compareResults([resultOf('base', ...base)], resultOf('head', ...head), () => 0.05);
const around = (value: number, reach: number, more: Partial<Metric> = {}) =>
  metric('parse', value, { interval: { low: value - reach, high: value + reach }, ...more });

describe('two results by threshold', () => {
  it.each([
    ['a larger change than its noise', around(100, 1), around(120, 1), 'regression'],
    ['a smaller value', around(100, 1), around(80, 1), 'improvement'],
    ['less than the minimum effect', around(100, 0.5), around(102, 0.5), 'pass'],
    ['a change within the noise', around(100, 20), around(110, 20), 'undecided'],
    ['noise that reaches beyond the minimum effect', around(100, 5), around(100, 5), 'undecided'],
    [
      'a rate that falls',
      around(100, 1, { direction: 'higher' }),
      around(80, 1, { direction: 'higher' }),
      'regression',
    ],
  ])('%s', (_, base, head, verdict) => {
    const report = compare([base], [head]);
    expect(report).toMatchObject({ verdict, method: 'threshold' });
    expect(report.metrics[0]?.settledBy === null).toBe(verdict !== 'undecided');
  });

  it('says how much worse a rate has become as a share of what is left', () => {
    const rate = (value: number) => around(value, 1, { direction: 'higher' });
    expect(compare([rate(100)], [rate(80)]).metrics[0]?.worseBy).toBeCloseTo(0.25);
  });
});

describe('a single value a side', () => {
  it('is undecided, whatever the change', () => {
    const report = compare([metric('parse', 100)], [metric('parse', 500)]);
    expect(report.metrics[0]).toMatchObject({
      verdict: 'undecided',
      worseBy: 4,
      reason: 'one value a side and no history says nothing about noise',
      settledBy: expect.stringContaining('gate ab'),
    });
  });

  it('is undecided with a history that is too short', () => {
    const history = [100, 101].map((value) => resultOf('base', metric('parse', value)));
    expect(compareResults(history, resultOf('head', metric('parse', 200)), () => 0.05).metrics[0]).toMatchObject({
      verdict: 'undecided',
      reason: 'a history of 2 values is too short: it takes 5',
    });
  });

  it.each([
    [200, 'regression'],
    [100, 'pass'],
    [50, 'improvement'],
    [103, 'undecided'],
  ])('of %d is held against the spread of a longer one', (value, verdict) => {
    const history = [100, 101, 99, 100, 102, 99].map((before) => resultOf('base', metric('parse', before)));
    expect(compareResults(history, resultOf('head', metric('parse', value)), () => 0.05).verdict).toBe(verdict);
  });
});

describe('what does not fit', () => {
  it('a metric that one side lacks is named in a warning', () => {
    const report = compare([around(100, 1), metric('old', 1)], [around(100, 1), metric('new', 1)]);
    expect(report.metrics.map(({ name }) => name)).toEqual(['parse']);
    expect(report.warnings).toEqual([
      "not compared, as head does not have what base has: 'old'",
      "not compared, as base does not have what head has: 'new'",
    ]);
  });

  it('no metric in common is an error', () => {
    expect(() => compare([metric('a', 1), metric('b', 1)], [metric('c', 1)])).toThrow(
      expect.objectContaining({ code: 'ERR_GATE_INPUT', message: expect.stringContaining('none in common') }),
    );
  });

  it('one metric a side is compared in spite of its name, with a warning', () => {
    const report = compare([metric('./old', 1)], [metric('./new', 1)]);
    expect(report.warnings).toEqual(["'./old' is compared with './new', the one metric of each side"]);
  });

  it('units that differ are an error', () => {
    expect(() => compare([metric('a', 1)], [metric('a', 1, { unit: 'bytes' })])).toThrow(
      expect.objectContaining({
        code: 'ERR_GATE_UNITS',
        message: "Expected the unit 'ns' of the base for 'a' of the head but received 'bytes'",
      }),
    );
  });

  it.each([
    [0, 0, 'pass', 'equal'],
    [0, 5, 'undecided', 'values of 0 or below have no ratio'],
    [5, 0, 'undecided', 'values of 0 or below have no ratio'],
    [-3, 4, 'undecided', 'values of 0 or below have no ratio'],
  ])('%d against %d: %s', (base, head, verdict, reason) => {
    expect(compare([metric('a', base)], [metric('a', head)]).metrics[0]).toMatchObject({ verdict, reason });
  });

  it('results of different machines are compared with a warning', () => {
    const base = { ...resultOf('base', around(100, 1)), machine: 'one' };
    const head = { ...resultOf('head', around(100, 1)), machine: 'other' };
    const warning = 'the results are from different machines: a difference may be theirs';
    expect(compareResults([base], head, () => 0.05).warnings).toEqual([warning]);
    expect(compareResults([base], { ...head, machine: 'one' }, () => 0.05).warnings).toEqual([]);
  });

  it('thousands of metrics', () => {
    const many = (value: number) =>
      Array.from({ length: 5_000 }, (_, index) => ({ ...around(value, 1), name: `m${index}` }));
    const report = compare(many(100), [...many(100).slice(1), { ...around(200, 1), name: 'm0' }]);
    expect(report.verdict).toBe('regression');
    expect(report.metrics.filter(({ verdict }) => verdict === 'regression').map(({ name }) => name)).toEqual(['m0']);
  });
});

it('real files of hyperfine: the command that both timed is compared', () => {
  const report = compareResults([newestOf('hyperfine-base.json')], newestOf('hyperfine-head.json'), () => 0.05);
  expect(report.metrics.map(({ name }) => name)).toEqual(['sleep 0.01']);
});

import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { budgetsJsonSchema, casesOf, checkBudgets, checkBudgetsNow, parseBudgets } from '../../../src/gate/budget.js';
import type { Result } from '../../../src/gate/metric.js';
import { parseResults } from '../../../src/gate/read/format.js';
import { benchResult, metric, resultOf } from './samples.js';

const check = (budgets: Record<string, string>, head?: Result) => {
  const [result] = parseResults(benchResult(), 'head.json');
  if (result === undefined) throw new Error('no result');
  return checkBudgets(parseBudgets({ budgets }, 'budgets.yaml'), head ?? result, 'budgets.yaml');
};

describe('a budget', () => {
  it.each([
    ['pause.p99', '20us', 'pass', 'at most 20us: kept by 55.0 %'],
    ['pause.p99', '0.8 µs', 'regression', 'at most 0.8 µs: missed by 1025.0 %'],
    ['pause.p50', '4x handshake', 'pass', 'at most 4x handshake (1.60 µs): kept by 37.5 %'],
    ['pause.p50', '1x handshake.p50', 'regression', 'at most 1x handshake.p50 (400 ns): missed by 150.0 %'],
    ['digest/2-threads.p50', '10 GB/s', 'pass', 'at least 10 GB/s: kept by 50.0 %'],
    ['digest/2-threads.p50', '40 GB/s', 'regression', 'at least 40 GB/s: missed by 100.0 %'],
  ])('%s: %s', (name, limit, verdict, reason) => {
    expect(check({ [name]: limit })).toMatchObject({ verdict, method: 'budget', metrics: [{ name, verdict, reason }] });
  });

  it('that is missed by less than the noise is undecided', () => {
    const head = resultOf('head', metric('a', 105, { interval: { low: 95, high: 115 } }));
    expect(check({ a: '100ns' }, head).metrics[0]).toMatchObject({
      verdict: 'undecided',
      reason: 'at most 100ns: missed by 5.0 %, within its own noise',
    });
    expect(check({ a: '90ns' }, head).verdict).toBe('regression');
  });

  it('that is missed on a machine that was disturbed is undecided; one that is kept there is kept', () => {
    const [disturbed] = parseResults(benchResult({ noise: 60 }), 'head.json');
    expect(check({ 'pause.p99': '1us', 'pause.p50': '2us' }, disturbed).metrics).toMatchObject([
      { verdict: 'undecided', reason: expect.stringContaining('on a machine that was disturbed (noise 60 of 100)') },
      { verdict: 'pass' },
    ]);
  });

  it('of a percentile with too few samples is undecided, and says how many it takes', () => {
    expect(check({ 'pause.p99.9': '1ms' }).metrics[0]).toMatchObject({
      verdict: 'undecided',
      reason: '1ms: not checked: it needs 10,000 samples, and there are 1000',
    });
  });

  it('of a case that was skipped gives its reason', () => {
    expect(check({ 'peers/qemu.p50': '1ms' }).metrics[0]?.reason).toBe('1ms: not checked: qemu is not installed');
  });

  it('of a figure that is not there is an error that suggests the nearest', () => {
    expect(() => check({ 'pauze.p99': '1ms' })).toThrow(
      expect.objectContaining({ code: 'ERR_GATE_INPUT', message: expect.stringContaining("did you mean 'pause.p99'") }),
    );
  });

  it('in a unit of another kind is an error', () => {
    expect(() => check({ 'pause.p99': '20 MiB' })).toThrow(
      expect.objectContaining({
        code: 'ERR_GATE_UNITS',
        message: "Expected a limit in ns for the budget of 'pause.p99' but received '20 MiB'",
      }),
    );
  });

  it('by a calibration that was not measured is an error that names those that were', () => {
    expect(() => check({ 'pause.p50': '4x memcpy' })).toThrow(
      "Expected one of handshake for the budget of 'pause.p50' but received '4x memcpy'",
    );
  });
});

describe('a budget file', () => {
  it.each([
    [{}, "Expected an object of limits by metric for 'budgets' of budgets.yaml"],
    [{ budgets: {} }, "Expected one budget at least for 'budgets' of budgets.yaml"],
    [
      { budgets: { 'pause.p99': 'fast' } },
      "Expected a limit such as '20us', '5 GB/s' or '4x handshake' for 'budgets.pause.p99'",
    ],
    [{ budgets: { 'pause.p99': 20 } }, "for 'budgets.pause.p99' of budgets.yaml but received 20"],
    [{ budget: {} }, "Expected an object of limits by metric for 'budgets'"],
    [null, 'Expected an object'],
  ])('%j is refused', (content, message) => {
    expect(() => parseBudgets(content, 'budgets.yaml')).toThrow(message);
  });

  it('names the cases that a benchmark has to run', () => {
    const budgets = parseBudgets(
      { budgets: { 'pause.p99': '1ms', 'pause.p50': '1ms', 'digest/2-threads.p50': '1 GB/s' } },
      '',
    );
    expect(casesOf(budgets)).toEqual(['pause', 'digest']);
  });

  it('has the JSON Schema that is published', async () => {
    const path = join(import.meta.dirname, '../../../schemas/budgets.schema.json');
    await expect(`${JSON.stringify(budgetsJsonSchema(), null, 2)}\n`).toMatchFileSnapshot(path);
  });
});

describe('budgets of what is measured now', () => {
  const budgets = parseBudgets({ budgets: { 'a.p50': '100ns', 'b.p50': '100ns' } }, 'budgets.yaml');
  const measured = (...rounds: Record<string, number>[]) => {
    const asked: string[][] = [];
    const measure = async (cases: string[]) => {
      asked.push(cases);
      const values = rounds[Math.min(asked.length, rounds.length) - 1] ?? {};
      return resultOf('now', ...Object.entries(values).map(([name, value]) => metric(name, value)));
    };
    return { asked, report: checkBudgetsNow(budgets, measure, 'budgets.yaml') };
  };

  it('are kept by what is measured once, where all are', async () => {
    const { asked, report } = measured({ 'a.p50': 50, 'b.p50': 60 });
    expect(await report).toMatchObject({ verdict: 'pass' });
    expect(asked).toEqual([['a', 'b']]);
  });

  it('are held again where one is missed: that one alone, and its best counts', async () => {
    const { asked, report } = measured({ 'a.p50': 50, 'b.p50': 400 }, { 'b.p50': 90 });
    expect(await report).toMatchObject({
      verdict: 'pass',
      metrics: [{ head: 50 }, { head: 90, reason: 'at most 100ns: kept by 10.0 %, at the best of 2 measurements' }],
    });
    expect(asked).toEqual([['a', 'b'], ['b']]);
  });

  it('are missed by what is too slow each time', async () => {
    const { asked, report } = measured({ 'a.p50': 50, 'b.p50': 400 }, { 'b.p50': 200 }, { 'b.p50': 300 });
    expect(await report).toMatchObject({
      verdict: 'regression',
      metrics: [{}, { head: 200, reason: 'at most 100ns: missed by 100.0 %, at the best of 4 measurements' }],
    });
    expect(asked).toHaveLength(4);
  });
});

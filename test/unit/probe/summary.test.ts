import { describe, expect, it } from 'vitest';
import type { ProbeKind, ProbeSpec } from '../../../src/probe/options.js';
import { parseProbes } from '../../../src/probe/options.js';
import { ProbeTally, percent } from '../../../src/probe/summary.js';

const MS = 1_000_000;

function probe(okShareMin?: ProbeSpec['okShareMin'], kind: ProbeKind = 'continuous') {
  const [parsed] = parseProbes([{ name: 'api', target: { call: () => {} }, kind, okShareMin }]);
  if (parsed === undefined) throw new Error('Expected a probe');
  return parsed;
}

/** Asks every 10 ms: '+' is well, '-' is not. */
function tallyOf(answers: string, order: (asks: number[]) => number[] = (asks) => asks): ProbeTally {
  const tally = new ProbeTally();
  const asks = [...answers].map((_, index) => tally.due(BigInt(index * 10 * MS), 0));
  for (const ask of order(asks)) {
    tally.answered({ ask, ok: answers[ask] === '+', latencyNs: MS * (ask + 1), phase: 'before' });
  }
  return tally;
}

const outageMs = (tally: ProbeTally, nowMs: number) =>
  (tally.summary(probe(), BigInt(nowMs * MS)).longestOutageNs ?? Number.NaN) / MS;

describe("a probe's longest outage", () => {
  it.each([
    ['++++', 0],
    ['+--+', 20],
    ['-+---+-+', 30],
    ['---', 100],
    ['+-', 90],
    ['', 0],
  ])('of %s', (answers, expectedMs) => {
    expect(outageMs(tallyOf(answers), 100)).toBe(expectedMs);
  });

  it('is that of the asking, in whatever order the answers come', () => {
    expect(
      outageMs(
        tallyOf('-+---+-+', (asks) => asks.toReversed()),
        100,
      ),
    ).toBe(30);
  });

  it('waits for the answer that is missing in between', () => {
    const tally = tallyOf('-+-+', () => [0, 2, 3]);
    expect(outageMs(tally, 50)).toBe(50);
    tally.answered({ ask: 1, ok: true, latencyNs: 1, phase: 'before' });
    expect(outageMs(tally, 50)).toBe(10);
  });

  it('is none of a probe that is not asked all the time', () => {
    expect(tallyOf('--').summary(probe(undefined, 'edge'), 0n).longestOutageNs).toBeNull();
  });
});

describe("a probe's latencies", () => {
  it('are of the answers that were well', () => {
    const { total } = tallyOf('+-+-').summary(probe(), 0n);
    expect(total).toMatchObject({ asked: 4, ok: 2, okShare: 0.5 });
    expect(total.latency?.maxNs).toBe(3 * MS);
    expect(total.latency?.p50Ns).toBeGreaterThanOrEqual(MS);
    expect(total.latency?.p99Ns).toBe(3 * MS);
  });

  it('are none where none was well', () => {
    expect(tallyOf('--').summary(probe(), 0n).total.latency).toBeNull();
    expect(tallyOf('').summary(probe(), 0n).total.okShare).toBeNull();
  });
});

describe('thresholds', () => {
  it.each([
    ['of all, kept', '+++-', 0.75, []],
    ['of all, missed', '++--', 0.75, ['75 % of the answers to probe .api. in all to be well but received 50 %']],
    ['of a phase, kept', '++', { before: 1 }, []],
    [
      'of a phase, missed',
      '+-',
      { before: 1, during: 0 },
      ['100 % .* before .* 50 % .1 of 2.', '0 % .* during .* none'],
    ],
    ['none of a continuous probe', '----', undefined, []],
  ])('%s', (_, answers, okShareMin, problems) => {
    const summary = tallyOf(answers).summary(probe(okShareMin), 0n);
    expect(summary.ok).toBe(problems.length === 0);
    expect(summary.problems).toEqual(problems.map((problem) => expect.stringMatching(problem)));
  });

  it.each(['start', 'end', 'edge'] as const)('all of a probe of kind %s', (kind) => {
    expect(tallyOf('++').summary(probe(undefined, kind), 0n).ok).toBe(true);
    expect(tallyOf('+-').summary(probe(undefined, kind), 0n).ok).toBe(false);
    expect(tallyOf('').summary(probe(undefined, kind), 0n).ok).toBe(false);
  });

  it('a share is rounded down', () => {
    expect([percent(0.9999), percent(0.29), percent(1)]).toEqual(['99.9 %', '29 %', '100 %']);
  });
});

import { describe, expect, it } from 'vitest';
import {
  type FreezeRecord,
  type ProbeSummary,
  type ProcessFreezeReport,
  type RunFacts,
  runRecord,
} from '../../../src/index.js';
import {
  type AvailabilityEvidence,
  assertAvailability,
  assertClockLagBelow,
  assertLostNoSteps,
  assertMemoryPreserved,
  assertMonotonicStoodStill,
  assertResumedWithin,
  assertUpdatedOneDomainAtATime,
  type FreezeEvidence,
} from '../../../src/testing/index.js';
import { reportOf, vmReportOf } from '../report-fixture.js';

const vms = (...changes: Parameters<typeof vmReportOf>[0][]) => reportOf({ vms: changes.map(vmReportOf) });

const record = (changes: Partial<FreezeRecord> = {}): FreezeRecord => ({
  name: 'vm-1',
  kind: 'emulated',
  wasRunning: true,
  requestedAtNs: 1000n,
  haltedAtNs: 2000n,
  observedAtNs: 2500n,
  releasedAtNs: 1_002_000n,
  resumedAtNs: 1_002_100n,
  syncedAtNs: 1_002_200n,
  stepsAtHalt: 7,
  stepsAtRelease: 7,
  clockLagBeforeNs: 1_000_000,
  clockLagAfterNs: 40,
  clockBracketNs: 60,
  syncedBy: 'step',
  resumedBy: 'caller',
  ...changes,
});

const processFreeze = (changes: Partial<ProcessFreezeReport> = {}): ProcessFreezeReport => ({
  haltNs: 1000,
  blackoutNs: 2e9,
  resumeNs: 500,
  resumedBy: 'caller',
  memory: 'preserved',
  difference: null,
  bytesRead: 4096,
  digestAtHaltNs: 10,
  digestAtReleaseNs: 10,
  processes: 1,
  tasks: 2,
  outsideGroup: 0,
  ...changes,
});
const exact = { guestGapMaxNs: 1, trueGapMaxNs: 2, wallJumpMaxNs: 1, hiddenNs: 5, pausedNs: 5, exact: true };

const frozen = record({ releasedAtNs: 0n, resumedAtNs: 0n, syncedAtNs: 0n });
const asProcess = record({ kind: 'process', clockLagAfterNs: 0, stepsAtHalt: 0, stepsAtRelease: 0 });

/** [what is asserted, of what, the code of the error or undefined, a part of its message]. */
type Row = [string, (evidence: never) => void, unknown, string | undefined, RegExp?];

const resumed = (evidence: FreezeEvidence) => assertResumedWithin(evidence, '1ms');
const lag = (evidence: FreezeEvidence) => assertClockLagBelow(evidence, '100us');

describe.each<Row>([
  ['preserved memory', assertMemoryPreserved, vms({}), undefined],
  ['changed memory', assertMemoryPreserved, vms({}, { name: 'b', memory: 'changed' }), 'ERR_ASSERTION', /of b was not/],
  ['lost memory', assertMemoryPreserved, vms({ memory: 'lost' }), 'ERR_ASSERTION', /memory lost/],
  ['unproven memory', assertMemoryPreserved, vms({ memory: 'unproven' }), 'ERR_ASSERTION', /is unproven/],
  ['memory by records', assertMemoryPreserved, [record()], 'ERR_INVALID_OPTION', /whileFrozen/],
  ['memory of no VM', assertMemoryPreserved, vms(), 'ERR_INVALID_OPTION', /no VM/],
  ['memory, half of it by records', assertMemoryPreserved, [vms({}), record()], 'ERR_INVALID_OPTION', /vm-1/],
  ['memory of a process', assertMemoryPreserved, processFreeze(), undefined],
  ['memory of a process that changed', assertMemoryPreserved, processFreeze({ memory: 'changed' }), 'ERR_ASSERTION'],
  ['a short blackout', resumed, vms({ blackoutNs: 1e6 }), undefined],
  ['a long blackout', resumed, vms({ blackoutNs: 1e6 + 1 }), 'ERR_ASSERTION', /within 1.00 ms but vm-1 took 1.00 ms/],
  ['a short blackout by records', resumed, [record(), record({ resumedAtNs: 1_002_000n })], 'ERR_ASSERTION', /1.00 ms/],
  ['a VM that has not resumed', resumed, frozen, 'ERR_ASSERTION', /vm-1 has not resumed/],
  ['a VM that stood still before', resumed, record({ wasRunning: false }), 'ERR_INVALID_OPTION', /stood still before/],
  ['a blackout of no VM', resumed, [], 'ERR_INVALID_OPTION', /none/],
  ['a blackout of a number', resumed, 5, 'ERR_INVALID_OPTION', /MaintenanceReport.* received 5/],
  ['a long blackout of a process', resumed, processFreeze(), 'ERR_ASSERTION', /took 2.00 s/],
  ['a clock that is right', lag, vms({}), undefined],
  ['a clock that is wrong', lag, vms({ clockLagAfterNs: -1e6 }), 'ERR_ASSERTION', /lags by 1.00 ms/],
  ['a clock of a VM that was rebooted', lag, vms({ rebooted: true }), 'ERR_ASSERTION', /not synchronised/],
  ['a clock before its synchronisation', lag, frozen, 'ERR_ASSERTION', /not synchronised/],
  ['a clock of a process by its record', lag, asProcess, 'ERR_NOT_SUPPORTED', /wall-lags-until-synchronised/],
  ['a clock of a process', lag, processFreeze(), 'ERR_NOT_SUPPORTED', /monotonic and wall time advance/],
  ['monotonic time', assertMonotonicStoodStill, vms({ ticker: exact }), undefined],
  [
    'monotonic time that moved',
    assertMonotonicStoodStill,
    vms({ ticker: { ...exact, exact: false } }),
    'ERR_ASSERTION',
  ],
  ['monotonic time without a ticker', assertMonotonicStoodStill, vms({}), 'ERR_ASSERTION', /'ticker' does/],
  ['monotonic time of a process', assertMonotonicStoodStill, processFreeze(), 'ERR_NOT_SUPPORTED', /monotonic-stands/],
  ['no lost step', assertLostNoSteps, vms({}), undefined],
  ['a lost step', assertLostNoSteps, vms({ stepsAfter: 9 }), 'ERR_ASSERTION', /step 10 at the halt, 9 at the release/],
  ['a lost step by records', assertLostNoSteps, [record({ stepsAtRelease: 8 })], 'ERR_ASSERTION'],
  ['steps of a process', assertLostNoSteps, [asProcess], 'ERR_NOT_SUPPORTED', /a process counts none/],
  ['domains of a report without a set', assertUpdatedOneDomainAtATime, [], 'ERR_INVALID_OPTION'],
])('%s', (_, assertion, evidence, code, text) => {
  it(code === undefined ? 'holds' : `is ${code}`, () => {
    // Rows are of several kinds of evidence, and of what is none.
    const act = () => assertion(evidence as never);
    if (code === undefined) return expect(act).not.toThrow();
    expect(act).toThrow(expect.objectContaining({ code, message: expect.stringMatching(text ?? /^Expected/) }));
  });
});

const answers = (ok: number, asked: number) => ({ asked, ok, okShare: asked === 0 ? null : ok / asked, latency: null });
const probe = (during: ReturnType<typeof answers>): ProbeSummary => ({
  name: 'api',
  kind: 'continuous',
  target: 'http://127.0.0.1:1/',
  ok: true,
  problems: [],
  total: answers(30, 40),
  before: answers(10, 10),
  during,
  after: answers(10, 10),
  longestOutageNs: 2e9,
  lateMaxNs: 0,
});

describe('availability, of probes', () => {
  const of = (evidence: AvailabilityEvidence) => () => assertAvailability(evidence, '80%');

  it('holds where so many asks while VMs stood still were answered well', () => {
    expect(of(probe(answers(8, 10)))).not.toThrow();
    expect(of([probe(answers(8, 10)), probe(answers(10, 10))])).not.toThrow();
  });

  it('fails where fewer were, and shows how many, and the longest outage', () => {
    expect(of([probe(answers(8, 10)), probe(answers(7, 10))])).toThrow(
      /^Expected 80 % of the asks .* fewer were\n\napi \(http.*\n {2}before 10 of 10 · during 7 of 10 · after 10 of 10; the longest outage 2.00 s$/,
    );
  });

  it('is not decided by what asked nothing then', () => {
    expect(of(probe(answers(0, 0)))).toThrow(/but api asked nothing then/);
  });
});

describe('the record of a run', () => {
  const record = (facts: Partial<RunFacts>) =>
    runRecord({
      ...{ name: 'r', seed: null, startedAt: new Date(0).toISOString(), durationNs: 1, result: 'passed', log: [] },
      ...facts,
    });
  const impact = {
    seq: 1,
    atNs: 9,
    wallTimeMs: 0,
    host: 'host',
    type: 'impact-end',
    vm: 'vm-1',
    cause: 'freeze',
    updateDomain: null,
    haltedAtNs: 0,
    releasedAtNs: 2e9,
    resumedAtNs: 2e9,
    resumedBy: 'caller',
  } as const;

  it('tells the memory of its maintenances, and the time of every freeze in its log', () => {
    const run = record({ maintenances: [{ host: 'host', report: vms({}) }], log: [impact] });
    expect(() => assertMemoryPreserved(run)).not.toThrow();
    expect(() => assertResumedWithin(run, '3s')).not.toThrow();
    expect(() => assertResumedWithin(run, '1s')).toThrow(/vm-1 took 2.00 s/);
  });

  it('tells the availability that its probes found', () => {
    expect(() => assertAvailability(record({ probes: [probe(answers(1, 2))] }), 0.5)).not.toThrow();
    expect(() => assertAvailability(record({ probes: [probe(answers(1, 2))] }), 0.6)).toThrow(/1 of 2/);
  });
});

it.each(['', 'soon', '-1s', 0, -5, Number.NaN, Number.POSITIVE_INFINITY, null, undefined, {}])(
  'refuses %j as a duration',
  (within) => {
    // @ts-expect-error: bad input is the point
    expect(() => assertResumedWithin(vms({}), within)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_OPTION' }));
  },
);

it.each(['', '80', '120%', -0.1, 2, Number.NaN, null])('refuses %j as a share', (share) => {
  // @ts-expect-error: bad input is the point
  expect(() => assertAvailability([], share)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_OPTION' }));
});

it('shows where the time went and what differs, in the terms of the report', () => {
  const bytes = { gpa: 0x80ff0, atHalt: '00'.repeat(16), atRelease: `0008${'00'.repeat(14)}` };
  const changed = { count: 2, firstPage: 0x80, firstGpa: 0x80000, bytes };
  const act = () =>
    assertMemoryPreserved(vms({ memory: 'changed', digestAfter: 'f'.repeat(16), changedPages: changed }));
  expect(act).toThrowErrorMatchingInlineSnapshot(`
    [StandstillError: Expected memory to be preserved but that of vm-1 was not

    vm-1 stood still for 1.00 µs, released by the caller, memory changed
      2 pages differ of 256 read; the first is page 0x80, at 0x80000
      0x00080ff0  at halt     00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
                  at release  00 08 00 00 00 00 00 00 00 00 00 00 00 00 00 00
                                 ^^
      digest at halt 0123456789abcdef, at release ffffffffffffffff
      request 10 ns · halt 10 ns · digest 400 ns · patch 540 ns · resume 50 ns · clock 20 ns]
  `);
});

it('says how to see the bytes where they were not kept', () => {
  const changedPages = { count: 1, firstPage: 1, firstGpa: 0x1000, bytes: null };
  expect(() => assertMemoryPreserved(vms({ memory: 'changed', changedPages }))).toThrow(
    /proof 'full' or 'sampled' with keepBytes/,
  );
});

import { expect, it } from 'vitest';
import { problemsOf, type VmReport } from '../../../src/maintenance/report.js';
import { reportOf, vmReportOf } from '../report-fixture.js';

const problems = (vm: Partial<VmReport>) => problemsOf(reportOf({ vms: [vmReportOf(vm)] }));

it('finds nothing wrong with a good report', () => {
  expect(problems({})).toEqual([]);
});

it.each([
  [{ memory: 'unproven' }, 'vm-1: memory is unproven'],
  [{ memory: 'unproven', unprovenReason: 'why' }, 'vm-1: memory is unproven: why'],
  [{ problem: 'its process exited with 1' }, 'vm-1: its process exited with 1'],
  [{ stepsAfter: 12 }, 'vm-1: took 2 steps while frozen'],
  [{ invariantsOk: false, violation: 'lost item' }, 'vm-1: guest invariant violated: lost item'],
  [
    { memory: 'changed', changedPages: { count: 1, firstPage: 3, firstGpa: 0x3000, bytes: null } },
    'vm-1: memory changed in 1 page, first page 3 (0x3000)',
  ],
  [
    { memory: 'changed', changedPages: { count: 2, firstPage: 3, firstGpa: 0x3000, bytes: null } },
    'vm-1: memory changed in 2 pages, first page 3 (0x3000)',
  ],
] satisfies [Partial<VmReport>, string][])('%j', (vm, problem) => {
  expect(problems(vm)).toEqual([problem]);
});

it('does not hold against a VM what was not asked for', () => {
  expect(problems({ invariantsOk: null })).toEqual([]);
});

it('names a clock that hid more or less than the pauses', () => {
  const ticker = { guestGapMaxNs: 1, trueGapMaxNs: 1, wallJumpMaxNs: 1, hiddenNs: 5, pausedNs: 6, exact: false };
  expect(problems({ ticker })).toEqual(["vm-1: the guest's clock hid 5 ns, its pauses were 6 ns"]);
});

it('names a missed budget and each patch that was not applied', () => {
  const error = { code: 'ERR_PATCH_FAILED', message: 'no space' } as const;
  const patch = {
    name: 'p',
    kind: 'module',
    impact: 'pause',
    component: null,
    ok: false,
    status: 'failed',
    durationNs: 1,
    startedAfterNs: 1,
    result: null,
    error,
  } as const;
  expect(problemsOf(reportOf({ budgetKept: false, patches: [patch] }))).toEqual([
    'the deadline of 30000 ms released the VMs before the maintenance was done',
    'patch p failed: no space',
  ]);
});

import { describe, expect, it } from 'vitest';
import { planRun, type RunFlags } from '../../../src/cli/run-options.js';

const flags = (changes: Partial<RunFlags>): RunFlags => ({
  vms: 4,
  memory: '1MiB',
  budget: 30_000,
  proof: 'full',
  duration: 1000,
  color: true,
  ...changes,
});

it('deals the four programs out, with names, and draws a seed', () => {
  const plan = planRun(flags({ vms: 5 }));
  expect(plan.vms.map((vm) => vm.name)).toEqual(['kv-store-1', 'queue-2', 'page-writer-3', 'ticker-4', 'kv-store-5']);
  expect(Number.isSafeInteger(plan.seed)).toBe(true);
  expect(plan.isDemo).toBe(true);
});

it('gives each VM a seed of its own that follows from the one given', () => {
  expect(planRun(flags({ seed: 7, vms: 2 })).vms.map((vm) => vm.seed)).toEqual([7, 8]);
});

it('takes a number of bytes as text', () => {
  expect(planRun(flags({ memory: '1048576' })).vms[0]?.memory).toBe(1048576);
});

it('chooses the bit of a fault by the seed', () => {
  const fault = (seed: number) => planRun(flags({ seed, fault: 'flip-bit=queue-2' })).faults[0];
  expect(fault(1)).toEqual(fault(1));
  expect(fault(1)).not.toEqual(fault(2));
  expect(fault(1)).toMatchObject({ kind: 'flip-bit', vm: 'queue-2' });
  expect(planRun(flags({ fault: 'flip-bit' })).faults[0]?.vm).toBe('kv-store-1');
});

describe('refuses what cannot be, before anything is created', () => {
  it.each([
    [{ program: ['nonsense'] }, 'ERR_UNKNOWN_PROGRAM'],
    [{ memory: '0' }, 'ERR_INVALID_OPTION'],
    [{ memory: '-1' }, 'ERR_INVALID_OPTION'],
    [{ memory: 'NaN' }, 'ERR_INVALID_OPTION'],
    [{ memory: '64 GiB' }, 'ERR_INVALID_OPTION'],
    [{ memory: '1 GiB', vms: 1000 }, 'ERR_INVALID_OPTION'],
    [{ proof: 'some' }, 'ERR_INVALID_OPTION'],
    [{ fault: 'meteor' }, 'ERR_INVALID_OPTION'],
    [{ fault: 'flip-bit=queue-9' }, 'ERR_INVALID_OPTION'],
  ])('%j', (changes, code) => {
    expect(() => planRun(flags(changes))).toThrow(expect.objectContaining({ code }));
  });
});

import { expect, it } from 'vitest';
import { noiseFindings } from '../../../src/bench/noise.js';

const QUIET = { stealShare: 0.01, othersShare: 0.05, jitterShare: 0.02 };

it('a quiet machine has no findings', () => {
  expect(noiseFindings(QUIET)).toEqual([]);
  expect(noiseFindings({ ...QUIET, jitterShare: null })).toEqual([]);
});

it.each([
  ['stealShare', 'the hypervisor gave 6.0 % of the CPU time to others (steal)'],
  ['othersShare', 'other processes used 6.0 % of the CPU time'],
  ['jitterShare', 'a thread that only reads the clock lost 6.0 % of its time'],
])('names too high a %s', (name, finding) => {
  expect(noiseFindings({ ...QUIET, [name]: 0.06 })).toEqual([finding]);
});

import { expect, it } from 'vitest';
import { Prng } from '../../../src/base/prng.js';

it('is splitmix64: the published first outputs for seed 1234567', () => {
  const prng = new Prng(1234567n);
  expect([prng.nextUint64(), prng.nextUint64(), prng.nextUint64()]).toEqual([
    6457827717110365317n,
    3203168211198807973n,
    9817491932198370423n,
  ]);
});

it('stays below its bound', () => {
  const prng = new Prng(1n);
  const values = Array.from({ length: 1000 }, () => prng.nextBelow(8));
  expect(new Set(values)).toEqual(new Set([0, 1, 2, 3, 4, 5, 6, 7]));
});

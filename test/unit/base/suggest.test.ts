import { expect, it } from 'vitest';
import { didYouMean, nearest } from '../../../src/base/suggest.js';

const known = ['budgetMs', 'proof', 'patches', 'seed'];

it('finds names within a few edits, nearest first', () => {
  expect(nearest('budgetMS', known)).toEqual(['budgetMs']);
  expect(nearest('patchs', known)).toEqual(['patches']);
  expect(nearest('kv-stor', ['kv-store', 'k-store', 'queue'])).toEqual(['kv-store', 'k-store']);
});

it('suggests nothing that is far off', () => {
  expect(nearest('colour', known)).toEqual([]);
  expect(didYouMean('colour', known)).toBe('');
});

it('reads as the end of a sentence', () => {
  expect(didYouMean('seeds', known)).toBe("; did you mean 'seed'?");
});

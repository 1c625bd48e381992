import { describe, expect, it } from 'vitest';
import { isStandstillError, StandstillError, show, unexpected } from '../../../src/base/errors.js';

describe('show', () => {
  it.each([
    [undefined, 'nothing'],
    [null, 'null'],
    ['x', "'x'"],
    [Number.NaN, 'NaN'],
    [3n, '3n'],
    [() => 1, 'a function'],
    [[1, 2], 'an array of 2'],
    [{ toString: () => 1 }, 'an object'],
    [Object.create(null), 'an object'],
    [Symbol('s'), 'Symbol(s)'],
  ])('%o', (value, text) => {
    expect(show(value)).toBe(text);
  });

  it('shortens what is long', () => {
    expect(show('x'.repeat(1000)).length).toBeLessThan(70);
  });
});

it('unexpected() reads "Expected X for Y but received Z"', () => {
  expect(unexpected('ERR_INVALID_OPTION', 'a number', "'memory'", '')).toMatchObject({
    name: 'StandstillError',
    code: 'ERR_INVALID_OPTION',
    message: "Expected a number for 'memory' but received ''",
  });
});

it('isStandstillError() tells the code', () => {
  const error = new StandstillError('ERR_BUSY', 'busy');
  expect(isStandstillError(error)).toBe(true);
  expect(isStandstillError(error, 'ERR_BUSY')).toBe(true);
  expect(isStandstillError(error, 'ERR_ABORTED')).toBe(false);
  expect(isStandstillError(new Error('ERR_BUSY'))).toBe(false);
});

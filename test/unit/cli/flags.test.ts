import { describe, expect, it } from 'vitest';
import { collect, durationMs, wholeNumber } from '../../../src/cli/flags.js';

describe('wholeNumber', () => {
  const parse = wholeNumber('--vms', 1, 10);

  it('takes what is in range', () => {
    expect(parse('1')).toBe(1);
    expect(parse('10')).toBe(10);
  });

  it.each(['0', '11', '1.5', '', ' ', 'x', 'NaN', '-1', 'Infinity'])('refuses %o by the name of the flag', (text) => {
    expect(() => parse(text)).toThrow(`Expected a whole number from 1 to 10 for --vms but received '${text}'`);
  });
});

describe('durationMs', () => {
  const parse = durationMs('--budget', 60_000);

  it('takes a time with its unit', () => {
    expect(parse('30s')).toBe(30_000);
    expect(parse('1min')).toBe(60_000);
  });

  it.each(['0s', '-1s', '61s', '30', 'soon'])('refuses %o', (text) => {
    expect(() => parse(text)).toThrow(/for --budget but received/);
  });
});

it('collects a repeated flag', () => {
  expect(collect('b', collect('a'))).toEqual(['a', 'b']);
});

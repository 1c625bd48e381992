import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { parseOptions } from '../../../src/base/options.js';

const schema = z.strictObject({
  budgetMs: z.number('milliseconds above 0').positive('milliseconds above 0').default(30),
  clock: z.strictObject({ mode: z.enum(['step', 'off'], "'step' or 'off'") }, 'an object').optional(),
  faults: z.array(z.strictObject({ bit: z.number('a bit') }), 'an array').optional(),
});
const parse = (options: unknown) => parseOptions(schema, options, 'a freeze');
const failure = (code: string, message: string) => expect.objectContaining({ code, message });

it('applies defaults', () => {
  expect(parse({})).toEqual({ budgetMs: 30 });
});

describe('a bad value is ERR_INVALID_OPTION', () => {
  it.each([
    [{ budgetMs: 0 }, "Expected milliseconds above 0 for 'budgetMs' of a freeze but received 0"],
    [{ budgetMs: Number.NaN }, "Expected milliseconds above 0 for 'budgetMs' of a freeze but received NaN"],
    [{ budgetMs: null }, "Expected milliseconds above 0 for 'budgetMs' of a freeze but received null"],
    [{ clock: { mode: 'fast' } }, "Expected 'step' or 'off' for 'clock.mode' of a freeze but received 'fast'"],
    [{ faults: [{ bit: '1' }] }, "Expected a bit for 'faults.0.bit' of a freeze but received '1'"],
    [null, 'Expected an object for the options of a freeze but received null'],
    [7, 'Expected an object for the options of a freeze but received 7'],
  ])('%j', (options, message) => {
    expect(() => parse(options)).toThrow(failure('ERR_INVALID_OPTION', message));
  });
});

describe('an unknown option is ERR_UNKNOWN_OPTION with the nearest names', () => {
  it.each([
    [{ budgetms: 1 }, "Unknown option 'budgetms' for a freeze; did you mean 'budgetMs'?"],
    [{ clock: { mode: 'off', mod: 1 } }, "Unknown option 'mod' for clock of a freeze; did you mean 'mode'?"],
    [{ faults: [{ bit: 1, bits: 1 }] }, "Unknown option 'bits' for faults.0 of a freeze; did you mean 'bit'?"],
    [{ colour: 1 }, "Unknown option 'colour' for a freeze"],
  ])('%j', (options, message) => {
    expect(() => parse(options)).toThrow(failure('ERR_UNKNOWN_OPTION', message));
  });
});
